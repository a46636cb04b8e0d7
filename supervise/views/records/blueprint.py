"""The family of pages that every module here adds to."""

from flask import Blueprint, request

bp = Blueprint("records", __name__, url_prefix="/records")

#: A key fits 64 bits.
_DIGITS_MAX = 19


def number_in(name: str) -> int | None:
    """Return the number that the address gives as *name*; None for nonsense, which is the first page."""
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS_MAX else None
