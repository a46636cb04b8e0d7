"""The address that the pages of notices share."""

from flask import Blueprint

bp = Blueprint("notices", __name__, url_prefix="/notices")
