"""The blueprint of the parties' pages."""

from flask import Blueprint

bp = Blueprint("parties", __name__, url_prefix="/parties")
