"""The family of pages that every module here adds to."""

from flask import Blueprint

bp = Blueprint("tickets", __name__, url_prefix="/tickets")
