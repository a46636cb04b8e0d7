"""What the pages of contracts and rules share: the address, and who keeps them."""

from flask import Blueprint

from supervise.access.roles import Permission

bp = Blueprint("contracts", __name__, url_prefix="/contracts")

#: Who sees the history of a contract or rule, besides those who check everything.
KEEPERS = (Permission.DRAFT_CONTRACTS, Permission.ACTIVATE_CONTRACTS)
