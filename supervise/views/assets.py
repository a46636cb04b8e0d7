"""Addresses of static files, ours and the installed packages': each has its content's hash, to be kept for a year."""

import functools
import hashlib
from pathlib import Path

from flask import current_app, g, url_for


def asset_url(filename: str, endpoint: str = "static") -> str:
    """Return the address of a static file; ``endpoint`` is ``bootstrap.static`` for Bootstrap's own.

    Raises:
        FileNotFoundError: if there is no such file; a page never names one that is missing.
    """
    known: dict[tuple[str, str], str] = g.setdefault("asset_urls", {})
    if (filename, endpoint) not in known:
        known[filename, endpoint] = _address(filename, endpoint)
    return known[filename, endpoint]


def _address(filename: str, endpoint: str) -> str:
    # Kept for one page, which names the file of its icons dozens of times; the next page sees a changed file.
    owner = current_app if endpoint == "static" else current_app.blueprints[endpoint.partition(".")[0]]
    path = Path(owner.static_folder or "", filename)
    return url_for(endpoint, filename=filename, v=_digest(path, path.stat().st_mtime_ns))


@functools.cache
def _digest(path: Path, _changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
