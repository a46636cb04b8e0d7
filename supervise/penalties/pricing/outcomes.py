"""What comes of an offence: a charge, or why it costs nothing; and what each bearer pays of a charge."""

from typing import Any, NamedTuple

from supervise.errors import ConflictError
from supervise.penalties.pricing.facts import Offence


class Charge(NamedTuple):
    """What an offence costs: *amount_fen* = *gross_fen* - *capped_fen*."""

    offence: Offence
    gross_fen: int
    capped_fen: int
    explanation: dict[str, Any]

    @property
    def amount_fen(self) -> int:
        """What is left after the caps."""
        return self.gross_fen - self.capped_fen


class SparedError(ConflictError):
    """A proven offence that costs nothing; the message says why."""


class Spared(NamedTuple):
    """An offence that costs nothing, and why."""

    offence: Offence
    why: SparedError


class Portion(NamedTuple):
    """One bearer's part of a charge."""

    party_id: int
    gross_fen: int
    capped_fen: int
    explanation: dict[str, Any]
