"""The small numbers of the side bar: read once for each page that is shown, and only what the role works on."""

from typing import Any

from flask import Flask, g

from supervise import db
from supervise.access.identity import CurrentUser, signed_in_user
from supervise.desk.counts import Worker, waiting_counts
from supervise.parties.scope import Scope


def register_waiting(app: Flask) -> None:
    """Fill ``g.waiting`` before the frame of a page is made; call it before ``register_shell``."""

    @app.context_processor
    def count() -> dict[str, Any]:
        if "waiting" not in g:
            user = signed_in_user()
            g.waiting = _counts(user) if user is not None and user.permissions else {}
        return {}


def _counts(user: CurrentUser) -> dict[str, int]:
    with db.reading() as session:
        return waiting_counts(session, Worker(user.id, user.permissions, Scope.of(session, user)))
