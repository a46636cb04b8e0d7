"""Statements that are compiled once in a worker, not once for each test's database.

An engine remembers what it has compiled, as a served application's does for months; but a test with a database of its
own has an engine of its own, and compiling its statements took a third of its time. The memory is by dialect, and an
engine's dialect knows the kind of server, never the database: so all engines of a worker may share one of each kind.
"""

from collections.abc import MutableMapping
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.util import LRUCache

#: More than all tests of a worker ask for.
_STATEMENTS = 3_000

_shared: dict[type[Dialect], tuple[Dialect, MutableMapping[Any, Any]]] = {}


def _share(connection: Connection) -> None:
    engine = connection.engine
    dialect, compiled = _shared.setdefault(type(engine.dialect), (engine.dialect, LRUCache(_STATEMENTS)))
    engine.dialect = connection.dialect = dialect
    connection.execution_options(compiled_cache=compiled)


def share_statements() -> None:
    """Let every connection from now on know what those before it have compiled."""
    if not event.contains(Engine, "engine_connect", _share):
        event.listen(Engine, "engine_connect", _share)
