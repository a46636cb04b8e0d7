"""The address that the pages of the ledger share."""

from flask import Blueprint

bp = Blueprint("ledger", __name__, url_prefix="/ledger")
