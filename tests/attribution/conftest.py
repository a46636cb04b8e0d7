"""Counting what a function asks the database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session


@pytest.fixture
def count_queries() -> Callable[[Session], AbstractContextManager[list[str]]]:
    """``with count_queries(session) as statements``: those that were sent inside."""

    @contextmanager
    def counting(session: Session) -> Iterator[list[str]]:
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            statements.append(statement)

        engine = session.connection().engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)

    return counting
