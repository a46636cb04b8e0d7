"""The address that the pages of penalties share."""

from flask import Blueprint

bp = Blueprint("penalties", __name__, url_prefix="/penalties")
