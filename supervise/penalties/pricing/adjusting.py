"""What a charge would have been with fewer repeats: from what was frozen when it was approved, nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from supervise.contracts.rules import WHOLE_BP, Tiers
from supervise.money import split_by_largest_remainder


def amount_at_tier(explanation: Mapping[str, Any], tiers: Tiers, nth: int) -> int:
    """Return what the whole charge of *explanation* would be as the *nth* offence: same aggravation, same caps."""
    gross_fen = [step for step in tiers.steps if step.from_count <= nth][-1].amount_fen
    aggravation = explanation.get("aggravation")
    if aggravation is not None:
        gross_fen = gross_fen * int(aggravation["multiplier_bp"]) // WHOLE_BP
    return gross_fen - _over(explanation["caps"], [cap["used_fen"] for cap in explanation["caps"]], gross_fen)


def capped_now(explanation: Mapping[str, Any], used_fen: Sequence[int]) -> int:
    """Return what the caps of *explanation* would cut from its charge if *used_fen* of each were used."""
    return _over(explanation["caps"], used_fen, int(explanation["gross_fen"]))


def _over(caps: Sequence[Mapping[str, Any]], used_fen: Sequence[int], gross_fen: int) -> int:
    over = [
        min(gross_fen, max(0, used + gross_fen - cap["limit_fen"])) for cap, used in zip(caps, used_fen, strict=True)
    ]
    return max(over, default=0)


def share_of(amount_fen: int, shares: Sequence[Mapping[str, Any] | None], place: int) -> int:
    """Return the part of *amount_fen* that the bearer at *place* has, by the shares that its rows were made with."""
    weights = [(share or {}).get("share_bp") or 1 for share in shares]
    return split_by_largest_remainder(amount_fen, weights)[place]
