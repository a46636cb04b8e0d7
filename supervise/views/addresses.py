"""Addresses of lists: this page's, with some of its query arguments changed."""

from typing import Any

from flask import request, url_for


def address_with(endpoint: str | None = None, **changes: str | int | None) -> str:
    """Return the address of *endpoint* (this page) with its present query, but for *changes*; None takes one away.

    A filter given several times stays so.
    """
    query: dict[str, Any] = {name: values for name, values in request.args.lists() if any(values)}
    query |= dict(request.view_args or {})
    query |= changes
    return url_for(
        endpoint or request.endpoint or "", **{name: value for name, value in query.items() if value is not None}
    )
