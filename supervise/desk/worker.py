"""For whom the side bar and the home page count, and how far."""

from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from supervise.access.roles import Permission
from supervise.parties.scope import Scope

#: The side bar shows "999+" from here on.
COUNT_MAX = 1_000


class Worker(NamedTuple):
    """For whom is counted."""

    id: int
    permissions: frozenset[Permission]
    scope: Scope
    #: The largest amount that a deputy decides on; None for who is no deputy.
    limit_fen: int | None = None


def capped(session: Session, query: Select[Any]) -> int:
    """Return how many rows *query* has, counted no further than ``COUNT_MAX``."""
    return session.execute(select(func.count()).select_from(query.limit(COUNT_MAX).subquery())).scalar_one()
