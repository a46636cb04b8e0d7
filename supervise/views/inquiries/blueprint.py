"""The family of pages that every module here adds to."""

from flask import Blueprint

bp = Blueprint("inquiries", __name__, url_prefix="/inquiries")
