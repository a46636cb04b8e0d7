"""Searching: what is typed above a list is sent, and comes back as an address without a full number in it.

Filters stand in the address, so that a search can be kept and handed on (design.md section 7), full numbers never.
"""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, redirect, request
from flask.typing import ResponseReturnValue

from supervise.access.policy import signed_in
from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.views.session import safe_next
from supervise.views.typed_numbers import hide_again, hide_numbers

bp = Blueprint("searching", __name__)

#: The address as it was, beside a field that shows a masked number.
KEPT = "-kept"
_STATIC_ENDPOINTS = frozenset({"static", "bootstrap.static"})


class NumberInAddressError(InvalidInputError):
    """A form was sent to an address with a full number in it."""

    message = N_("A full phone number must not stand in an address; type it into the search field of the list")


def init_app(app: Flask) -> None:
    """Keep full numbers out of every address of *app*; called before access control, which may keep the address."""
    app.before_request(_hide_numbers)


@bp.post("/search")
@signed_in
def search() -> ResponseReturnValue:
    """Turn the filters typed above the list at ``?place=`` into its address."""
    place = urlsplit(safe_next(request.args.get("place"))).path
    query = [
        (name, hide_numbers(hide_again(value, request.form.get(name + KEPT, ""), name), name))
        for name, value in request.form.items(multi=True)
        if value and name != "csrf_token" and not name.endswith(KEPT)
    ]
    return redirect(f"{place}?{urlencode(query)}" if query else place, code=303)


def _hide_numbers() -> ResponseReturnValue | None:
    """Send a page that was asked for by a full number to the address without it."""
    if request.endpoint is None or request.endpoint in _STATIC_ENDPOINTS:
        return None
    asked = list(request.args.items(multi=True))
    hidden = [(name, hide_numbers(value, name)) for name, value in asked]
    if hidden == asked:
        return None
    if request.method not in {"GET", "HEAD"}:
        raise NumberInAddressError
    return redirect(f"{request.path}?{urlencode(hidden)}", code=303)
