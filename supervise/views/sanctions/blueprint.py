"""The blueprint of the sanctions' pages."""

from flask import Blueprint

bp = Blueprint("sanctions", __name__, url_prefix="/sanctions")
