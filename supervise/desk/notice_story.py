"""A notice as it is read: its lines with the call, the offence, the rule as of then, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding
from supervise.bulk import among
from supervise.complaints.models import Incident, OffenceType, SubscriberNumber
from supervise.contracts.models import Contract, RuleVersion
from supervise.contracts.terms import ContractTermsAt
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.acceptance import acceptances
from supervise.penalties.models import Objection, ObjectionState, Penalty
from supervise.penalties.notice_models import Notice, NoticeLine
from supervise.penalties.notice_queries import notice_in_scope, terms_of_notice


class Line(NamedTuple):
    """A penalty on a notice, with what it rests on; the called number is masked."""

    position: int
    penalty: Penalty
    offence: OffenceType
    incident: Incident
    number_mask: str | None
    evidence_note: str
    rule: RuleVersion
    contract: Contract
    #: The objection that was not withdrawn.
    objection: Objection | None
    is_accepted: bool


@dataclass(frozen=True)
class NoticeStory:
    """Everything that the page and the letter of a notice show."""

    notice: Notice
    party: Party
    unit: OrgUnit | None
    lines: Sequence[Line]
    #: What the contracts say of objections, as amended by the day of issue; of several the longest.
    terms: ContractTermsAt
    #: The position after which the next page begins; None: these were the last.
    next_after: int | None

    @property
    def rules(self) -> list[tuple[RuleVersion, Contract]]:
        """Each rule that priced a line, once, in the order of the lines."""
        seen = {line.rule.id: (line.rule, line.contract) for line in self.lines}
        return list(seen.values())


def notice_story(
    session: Session, scope: Scope, notice_id: int, *, after: int = 0, limit: int | None = None
) -> NoticeStory:
    """Return a notice and its lines from the position *after* on; *limit* None: all of them.

    Raises:
        NotFoundError: if it does not exist, is not in *scope*, or has no line after *after*.
    """
    notice = notice_in_scope(session, scope, notice_id)
    query = (
        select(
            NoticeLine.position,
            Penalty,
            OffenceType,
            Incident,
            SubscriberNumber.number_mask,
            Finding.evidence_note,
            RuleVersion,
            Contract,
        )
        .join(Penalty, Penalty.id == NoticeLine.penalty_id)
        .join(Finding, Finding.id == Penalty.finding_id)
        .join(OffenceType, OffenceType.id == Finding.offence_type_id)
        .join(Incident, Incident.id == Penalty.incident_id)
        .join(SubscriberNumber, SubscriberNumber.id == Incident.number_id, isouter=True)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .join(Contract, Contract.id == Penalty.contract_id)
        .where(NoticeLine.notice_id == notice_id, NoticeLine.position > after)
        .order_by(NoticeLine.position)
    )
    found = session.execute(query if limit is None else query.limit(limit + 1)).all()
    if not found:
        raise NotFoundError
    shown = found if limit is None else found[:limit]
    ids = [row[1].id for row in shown]
    objections, accepted = _objections(session, ids), acceptances(session, ids)
    lines = [Line(*row, objections.get(row[1].id), row[1].id in accepted) for row in shown]
    return NoticeStory(
        notice=notice,
        party=session.get_one(Party, notice.party_id),
        unit=session.get(OrgUnit, notice.unit_id) if notice.unit_id is not None else None,
        lines=lines,
        terms=terms_of_notice(session, notice),
        next_after=lines[-1].position if len(found) > len(shown) else None,
    )


def _objections(session: Session, penalty_ids: Sequence[int]) -> dict[int, Objection]:
    query = select(Objection).where(
        among(session, Objection.penalty_id, penalty_ids), Objection.state != ObjectionState.WITHDRAWN
    )
    return {objection.penalty_id: objection for objection in session.scalars(query)}
