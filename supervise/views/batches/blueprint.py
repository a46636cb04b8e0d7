"""The address that the pages of batches share."""

from flask import Blueprint

bp = Blueprint("batches", __name__, url_prefix="/credit-batches")
