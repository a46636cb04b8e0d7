"""The small numbers of the side bar: only what the role works on, counted once for each page that is shown.

They are remembered for some seconds, and counted anew at once for whoever has just done something.
"""

from typing import Any

from flask import Flask, g, request

from supervise import db
from supervise.access.identity import CurrentUser, signed_in_user
from supervise.desk.counts import waiting_counts
from supervise.desk.worker import Worker
from supervise.parties.scope import Scope
from supervise.views.remembering import forget, remembered

_SECONDS = 15


def register_waiting(app: Flask) -> None:
    """Fill ``g.waiting`` before the frame of a page is made; call it before ``register_shell``."""

    @app.context_processor
    def count() -> dict[str, Any]:
        if "waiting" not in g:
            user = signed_in_user()
            if user is None:
                g.waiting = {}
            else:
                g.waiting = remembered(_key(user), _SECONDS, lambda: _counts(user))
        return {}

    @app.before_request
    def count_anew() -> None:
        if request.method == "POST" and (user := signed_in_user()) is not None:
            forget(_key(user))


def _key(user: CurrentUser) -> tuple[str, int, frozenset[str], int | None]:
    return ("waiting", user.id, frozenset(user.permissions), user.deputy_limit_fen)


def _counts(user: CurrentUser) -> dict[str, int]:
    with db.reading() as session:
        worker = Worker(user.id, user.permissions, Scope.of(session, user), user.deputy_limit_fen)
        return waiting_counts(session, worker)
