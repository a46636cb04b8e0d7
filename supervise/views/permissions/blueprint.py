"""The blueprint that the modules of this page family share."""

from flask import Blueprint

bp = Blueprint("permissions", __name__, url_prefix="/permissions")
