"""The address that the pages of credits share."""

from flask import Blueprint

bp = Blueprint("credits", __name__, url_prefix="/credits")
