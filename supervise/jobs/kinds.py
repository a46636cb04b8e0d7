"""Which work can be done in the background: the name in the job's row, and the function that does it."""

from collections.abc import Mapping
from typing import Protocol

from supervise.jobs.records import Progress
from supervise.jobs.surroundings import Surroundings


class Work(Protocol):
    """A kind of job; it opens its own sessions, and doing it twice does it once."""

    def __call__(
        self, surroundings: Surroundings, progress: Progress, actor_id: int | None, **arguments: int | str
    ) -> None:
        """Do the work; raise a ``RefusalError`` to end it with words for the user."""


KINDS: Mapping[str, Work] = {}
