"""Worlds that take longer to make than a test of them: made once in a worker, then cloned.

Every test has a clone of its own, so that none sees what another did. A world is known by the function that makes it,
which takes a session and returns what the tests must know of it: identities, not rows that a test might change.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.db import Database
from supervise.evidence.codes import KEYRING_KEY
from supervise.evidence.store import SESSION_KEY
from tests.databases import PostgresServer, clone_sqlite, fast_folder, shared_store

T = TypeVar("T")


@dataclass(frozen=True)
class Clone(Generic[T]):
    """A database with a world in it, and what was made there."""

    url: str
    made: T


class Worlds:
    """The worlds of one worker on one engine: *postgres*, or else SQLite."""

    def __init__(self, keyring: Keyring, postgres: PostgresServer | None) -> None:
        self._keyring = keyring
        self._postgres = postgres
        #: A file's content, or the name of a database to which nobody is connected.
        self._kept: dict[Callable[[Session], Any], tuple[bytes | str, Any]] = {}

    def close(self) -> None:
        """Drop what clones were made from."""
        for template, _made in self._kept.values():
            if self._postgres is not None and isinstance(template, str):
                self._postgres.drop(template)

    @contextmanager
    def clone(self, make: Callable[[Session], T]) -> Iterator[Clone[T]]:
        """Give a database of one's own in which *make* has worked."""
        if make not in self._kept:
            self._kept[make] = self._on_sqlite(make) if self._postgres is None else self._on_postgres(make)
        template, made = self._kept[make]
        if self._postgres is not None and isinstance(template, str):
            name = self._postgres.create(template)
            yield Clone(self._postgres.url(name), made)
            self._postgres.drop(name)
        elif isinstance(template, bytes):
            with fast_folder() as folder:
                yield Clone(clone_sqlite(folder, template), made)

    def _on_sqlite(self, make: Callable[[Session], T]) -> tuple[bytes, T]:
        with fast_folder() as folder:
            url = clone_sqlite(folder)
            made = self._made(url, make)
            return Path(url.removeprefix("sqlite:///")).read_bytes(), made

    def _on_postgres(self, make: Callable[[Session], T]) -> tuple[str, T]:
        server = self._postgres
        assert server is not None
        name = server.create(server.template())
        with ExitStack() as unfinished:
            unfinished.callback(server.drop, name)
            made = self._made(server.url(name), make)
            unfinished.pop_all()
        return name, made

    def _made(self, url: str, make: Callable[[Session], T]) -> T:
        # Closed before it is cloned: PostgreSQL wants nobody there, and SQLite's log must be in the file.
        database = Database(url, {SESSION_KEY: shared_store(), KEYRING_KEY: self._keyring})
        try:
            with database.session(writes=True) as session:
                return make(session)
        finally:
            database.engine.dispose()
