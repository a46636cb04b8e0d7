"""The address that the approver's pages share."""

from flask import Blueprint

bp = Blueprint("approvals", __name__, url_prefix="/approvals")
