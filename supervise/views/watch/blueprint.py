"""The family of pages that every module here adds to."""

from flask import Blueprint

bp = Blueprint("watch", __name__, url_prefix="/watch")
