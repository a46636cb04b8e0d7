"""Addresses of lists: this page's, with some of its query arguments changed."""

from typing import Any, Final

from flask import request, url_for

from supervise.views.typed_numbers import hide_numbers

#: What ``url_for`` would take for its own arguments; no page has a filter of such a name.
_NO_FILTERS: Final = frozenset({"endpoint", "_anchor", "_external", "_method", "_scheme"})


def present_query() -> dict[str, list[str]]:
    """Return the query of this page's address, without what is empty; a filter given several times stays so."""
    return {name: values for name, values in request.args.lists() if any(values) and name not in _NO_FILTERS}


def address_with(endpoint: str | None = None, **changes: str | int | None) -> str:
    """Return the address of *endpoint* (this page) with its present query, but for *changes*; None takes one away.

    A full number in a change, such as the place in a list, is hidden.
    """
    query: dict[str, Any] = {**present_query(), **(request.view_args or {})}
    query |= {name: hide_numbers(value, name) if isinstance(value, str) else value for name, value in changes.items()}
    return url_for(
        endpoint or request.endpoint or "", **{name: value for name, value in query.items() if value is not None}
    )
