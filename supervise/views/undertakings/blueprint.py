"""The address that the pages of promises share."""

from flask import Blueprint

bp = Blueprint("undertakings", __name__, url_prefix="/undertakings")
