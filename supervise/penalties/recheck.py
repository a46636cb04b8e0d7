"""What proposed penalties would amount to if they were priced now, with the history that approval freezes.

Tiers count what is approved, and what is approved beside it with an earlier call; caps count every amount that
was made before (docs/rules.md, P-2 and P-3).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise.errors import RefusalError
from supervise.penalties.cases import Case, NothingProvenError, PricedFinding
from supervise.penalties.history import add_past, load_offences, past_amounts
from supervise.penalties.models import PenaltyFamily, PenaltyState
from supervise.penalties.month_cases import counted_with
from supervise.penalties.monthly_figures import known_figures
from supervise.penalties.pricing import History, below_threshold, price_offence, share_out
from supervise.penalties.proposed import ProposedLine

_APPROVED = (PenaltyState.APPROVED, PenaltyState.FINAL)


class Expected(NamedTuple):
    """What a penalty would be now, in fen."""

    gross_fen: int
    capped_fen: int
    rule_version_id: int
    rule_sha256: str
    family: PenaltyFamily


def expected_amounts(
    session: Session, penalties: Sequence[ProposedLine], cases: Mapping[int, Case | RefusalError]
) -> dict[int, Expected | RefusalError]:
    """Return for each penalty (by id) what it would be now, or why it could not be priced."""
    expected: dict[int, Expected | RefusalError] = {}
    found: dict[int, PricedFinding] = {}
    rows: dict[int, list[ProposedLine]] = {}
    for penalty in penalties:
        case = cases[penalty.incident_id]
        if isinstance(case, RefusalError):
            expected[penalty.id] = case
            continue
        match = next((one for one in case.findings if one.offence.finding_id == penalty.finding_id), None)
        if match is None:
            expected[penalty.id] = NothingProvenError()
            continue
        found[penalty.finding_id] = match
        rows.setdefault(penalty.finding_id, []).append(penalty)
    history = _history(session, found)
    _add_cases(session, history, found, cases)
    for finding_id, portions in _portions_in_order(session, history, found, rows):
        for penalty in rows[finding_id]:
            expected[penalty.id] = (
                portions if isinstance(portions, RefusalError) else portions.get(penalty.party_id, NothingProvenError())
            )
    return expected


def _portions_in_order(
    session: Session,
    history: History,
    found: Mapping[int, PricedFinding],
    rows: Mapping[int, Sequence[ProposedLine]],
) -> Iterator[tuple[int, dict[int, Expected] | RefusalError]]:
    """Yield for each finding what its bearers would pay now, or why not, each after the amounts made before it."""
    amounts = past_amounts(session, [one.offence for one in found.values()])
    first_ids = {finding_id: min(penalty.id for penalty in some) for finding_id, some in rows.items()}
    for past in amounts:
        # A sibling share that is not decided on now is part of the same charge, not an earlier one.
        if past.live_finding_id in first_ids:
            first_ids[past.live_finding_id] = min(first_ids[past.live_finding_id], past.penalty_id)
    made = 0
    for finding_id in sorted(found, key=lambda finding_id: first_ids[finding_id]):
        while made < len(amounts) and amounts[made].penalty_id < first_ids[finding_id]:
            past = amounts[made]
            add_past(history, past)
            made += 1
        try:
            yield finding_id, _portions(found[finding_id], history)
        except RefusalError as refusal:
            yield finding_id, refusal


def _history(session: Session, found: Mapping[int, PricedFinding]) -> History:
    offences = [one.offence for one in found.values()]
    history = History(figures=known_figures(session, offences))
    load_offences(session, history, offences, _APPROVED)
    for offence in offences:
        history.add_offence(offence.subject, offence.code, offence.occurred_at, offence.incident_id)
    return history


def _add_cases(
    session: Session, history: History, found: Mapping[int, PricedFinding], cases: Mapping[int, Case | RefusalError]
) -> None:
    """Count the cases of the months that thresholds of *found* read."""
    by_threshold = {
        one.offence.incident_id for one in found.values() if one.offence.rule.parameters.threshold is not None
    }
    for case in counted_with(session, [cases[incident_id] for incident_id in by_threshold]).values():
        history.add_cases(one.offence for one in case.findings)


def _portions(found: PricedFinding, history: History) -> dict[int, Expected]:
    spared = below_threshold(found.offence, history)
    if spared is not None:
        raise spared.why
    charge = price_offence(found.offence, history)
    portions = share_out(charge, [bearer.party_id for bearer in found.bearers])
    families = {
        bearer.party_id: PenaltyFamily.INTERNAL if bearer.contract is None else PenaltyFamily.EXTERNAL
        for bearer in found.bearers
    }
    return {
        portion.party_id: Expected(
            portion.gross_fen,
            portion.capped_fen,
            found.offence.rule.version_id,
            found.offence.rule.content_sha256,
            families[portion.party_id],
        )
        for portion in portions
    }
