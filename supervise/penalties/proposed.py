"""What approval reads of each proposed penalty: columns, not objects, for a batch has tens of thousands of them."""

import datetime as dt
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise.bulk import among
from supervise.penalties.models import Penalty, PenaltyFamily, PenaltyState


class ProposedLine(NamedTuple):
    """A penalty as approval weighs it; amounts in fen."""

    id: int
    reference: str
    state: PenaltyState
    maker_id: int
    finding_id: int
    incident_id: int
    occurred_on: dt.date
    family: PenaltyFamily
    party_id: int
    unit_id: int | None
    contract_id: int
    rule_version_id: int
    gross_fen: int
    capped_fen: int
    amount_fen: int
    content_sha256: str
    #: The hash of the rule version by which it was priced, as its explanation froze it.
    rule_sha256: str


def select_lines() -> Select[*tuple[Any, ...]]:
    """Return the select of ``ProposedLine``, of all penalties."""
    columns = [getattr(Penalty, name) for name in ProposedLine._fields[:-1]]
    return select(*columns, Penalty.explanation["rule"]["content_sha256"].as_string())


def lock_lines(session: Session, penalty_ids: Collection[int]) -> dict[int, ProposedLine]:
    """Return the penalties by id, their rows locked as ``locks.lock_penalties`` does, as they are now."""
    rows = session.execute(
        select_lines()
        .where(among(session, Penalty.id, list(penalty_ids)))
        .order_by(Penalty.id)
        .with_for_update(key_share=True)
    )
    return {row[0]: ProposedLine._make(row) for row in rows}
