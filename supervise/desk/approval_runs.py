"""The order of a run that approves penalties: whom one notice tells stands together and is approved together."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import among
from supervise.desk.models import BulkRunRow
from supervise.penalties.models import Penalty, PenaltyFamily

_Charged = tuple[PenaltyFamily, int, int | None]


def charged_by(session: Session, penalty_ids: Sequence[int]) -> dict[int, _Charged]:
    """Return whom each penalty charges, as notices tell them apart; ids that are none are left out."""
    query = select(Penalty.id, Penalty.family, Penalty.party_id, Penalty.unit_id)
    return {
        penalty_id: (family, party_id, unit_id if family is PenaltyFamily.INTERNAL else None)
        for penalty_id, family, party_id, unit_id in session.execute(
            query.where(among(session, Penalty.id, penalty_ids))
        )
    }


def places_by_charged(session: Session, penalty_ids: Sequence[int]) -> list[int]:
    """Return the places of *penalty_ids* with those of one charged party together, each in its order."""
    charged = charged_by(session, penalty_ids)
    first: dict[_Charged | None, int] = {}
    for penalty_id in penalty_ids:
        first.setdefault(charged.get(penalty_id), len(first))
    return sorted(range(len(penalty_ids)), key=lambda place: first[charged.get(penalty_ids[place])])


def rest_of_charged(session: Session, last: BulkRunRow) -> list[BulkRunRow]:
    """Return the rows that follow *last* in its run and charge the same party, up to the first that does not."""
    charged = charged_by(session, [last.subject_id]).get(last.subject_id)
    if charged is None:
        return []
    family, party_id, unit_id = charged
    query = (
        select(BulkRunRow)
        .join(Penalty, Penalty.id == BulkRunRow.subject_id)
        .where(BulkRunRow.run_id == last.run_id, BulkRunRow.place > last.place)
        .where(Penalty.family == family, Penalty.party_id == party_id)
        .order_by(BulkRunRow.place)
        .execution_options(populate_existing=True)
    )
    if unit_id is not None:
        query = query.where(Penalty.unit_id == unit_id)
    rest: list[BulkRunRow] = []
    for row in session.scalars(query):
        if row.place != last.place + len(rest) + 1:
            break
        rest.append(row)
    return rest
