"""The family of pages that every module here adds to."""

from flask import Blueprint

bp = Blueprint("imports", __name__, url_prefix="/imports")
