"""The address that the pages of contracts and rules share."""

from flask import Blueprint

bp = Blueprint("contracts", __name__, url_prefix="/contracts")
