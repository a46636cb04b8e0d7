"""The address that the pages of settlement share."""

from flask import Blueprint

bp = Blueprint("settlements", __name__, url_prefix="/settlements")
