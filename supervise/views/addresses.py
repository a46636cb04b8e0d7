"""Addresses of lists: this page's, with some of its query arguments changed."""

from typing import Any

from flask import request, url_for

from supervise.views.typed_numbers import hide_numbers


def address_with(endpoint: str | None = None, **changes: str | int | None) -> str:
    """Return the address of *endpoint* (this page) with its present query, but for *changes*; None takes one away.

    A filter given several times stays so; a full number in a change, such as the place in a list, is hidden.
    """
    query: dict[str, Any] = {name: values for name, values in request.args.lists() if any(values)}
    query |= dict(request.view_args or {})
    query |= {name: hide_numbers(value, name) if isinstance(value, str) else value for name, value in changes.items()}
    return url_for(
        endpoint or request.endpoint or "", **{name: value for name, value in query.items() if value is not None}
    )
