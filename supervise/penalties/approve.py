"""Approving and returning penalties: every line is checked again, posted once, and listed to the charged party."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.attribution.findings import hold, lock_proven
from supervise.audit.record import record_event
from supervise.bulk import among, read_known_again, uncollected
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    RefusalError,
    RowResult,
    SamePersonError,
)
from supervise.labels import N_
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.post import post
from supervise.money import format_yuan
from supervise.penalties import authority
from supervise.penalties.belonging import ChargedUnits, OwnUnitError
from supervise.penalties.cases import Case, load_cases
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.notices import issue
from supervise.penalties.postings import approval_lines
from supervise.penalties.proposed import ProposedLine, lock_lines, select_lines
from supervise.penalties.recheck import Expected, expected_amounts
from supervise.penalties.steps import record_steps

#: Earlier proposals that a page looks at; with more of them its hint may be too careful, the decision never is.
_EARLIER_MAX = 200


class ContentChangedError(ConflictError):
    """What the approver had on screen is not what would be approved."""

    message = N_("%(reference)s changed since it was shown; look at it again")


class FindingGoneError(ConflictError):
    """The verdict or the finding behind the amount no longer holds."""

    message = N_("The verdict or finding behind %(reference)s no longer holds; return it")


class AmountChangedError(ConflictError):
    """The same facts would give another amount today: rule, tier or cap moved since the proposal."""

    message = N_(
        "%(reference)s was proposed as %(proposed)s yuan and would now be %(now)s; return it and propose again"
    )


class Shown(NamedTuple):
    """A line as the approver had it on screen."""

    penalty_id: int
    content_sha256: str


def approve(session: Session, shown: Sequence[Shown], *, actor_id: int) -> list[RowResult]:
    """Approve each penalty that is still right, and post it as contestable; return a result for every line, in order.

    Each line is checked again: still proposed, as shown, by another maker, not of the approver's own unit, within
    a deputy's limit; finding and verdict in force; payer, rule and amount as they would be priced now. What falls
    out stays proposed. A second click, or a second approver, finds it decided and posts nothing. Above the limit of
    the actor's role the first approval is kept, and the line waits for another approver.
    """
    lines = list({line.penalty_id: line for line in shown}.values())
    with uncollected():
        refusals = _decided(session, lines, actor_id)
    return [RowResult(line.penalty_id, refusals[line.penalty_id]) for line in lines]


def _decided(session: Session, lines: Sequence[Shown], actor_id: int) -> dict[int, RefusalError | None]:
    approval = _Approval(session, lines, actor_id)
    refusals = {line.penalty_id: approval.refusal(line) for line in lines}
    passed = [approval.penalties[penalty_id] for penalty_id, refusal in refusals.items() if refusal is None]
    refusals |= approval.endorse(passed)
    refusals |= approval.recompute([penalty for penalty in passed if refusals[penalty.id] is None])
    _approve(session, [penalty for penalty in passed if refusals[penalty.id] is None], actor_id)
    return refusals


class _Approval:
    """The locked rows and what they are checked against.

    Contracts (by ``load_cases``), penalties, findings: the order of ``locks``.
    """

    def __init__(self, session: Session, lines: Sequence[Shown], actor_id: int) -> None:
        self.session = session
        self.actor_id = actor_id
        ids = [line.penalty_id for line in lines]
        incidents = set(session.scalars(select(Penalty.incident_id).where(Penalty.id.in_(ids))))
        self.cases: dict[int, Case | RefusalError] = load_cases(session, incidents)
        self.penalties = lock_lines(session, ids)
        self.proven = lock_proven(session, {penalty.finding_id for penalty in self.penalties.values()})
        self.charged = ChargedUnits(session, actor_id)
        self._authority: dict[int, RefusalError | None] = {}

    def refusal(self, line: Shown) -> RefusalError | None:
        """Return why the line cannot be approved, as far as it can be said without its amount."""
        penalty = self.penalties.get(line.penalty_id)
        if penalty is None:
            return NotFoundError()
        if penalty.state is not PenaltyState.PROPOSED:
            return AlreadyDecidedError()
        if penalty.maker_id == self.actor_id:  # also a CHECK of the table
            return SamePersonError()
        if penalty.content_sha256 != line.content_sha256:
            return ContentChangedError(reference=penalty.reference)
        if self.charged.include(penalty):
            return OwnUnitError(reference=penalty.reference)
        if penalty.finding_id not in self.proven:
            return FindingGoneError(reference=penalty.reference)
        return self._beyond_authority(penalty.amount_fen)

    def _beyond_authority(self, amount_fen: int) -> RefusalError | None:
        if amount_fen not in self._authority:
            try:
                require_authority(self.session, user_id=self.actor_id, amount_fen=amount_fen)
                self._authority[amount_fen] = None
            except NotPermittedError as refusal:
                self._authority[amount_fen] = refusal
        return self._authority[amount_fen]

    def recompute(self, passed: Sequence[ProposedLine]) -> dict[int, RefusalError]:
        """Price the lines again, and return why those fall out whose amount, rule or payer would differ now."""
        fallen: dict[int, RefusalError] = {}
        remaining = list(passed)
        while remaining:
            expected = expected_amounts(self.session, remaining, self.cases)
            newly = {
                penalty.id: refusal
                for penalty in remaining
                if (refusal := _difference(penalty, expected[penalty.id])) is not None
            }
            if not newly:
                break
            # A line that falls out is no earlier offence for the others: look again.
            fallen |= newly
            remaining = [penalty for penalty in remaining if penalty.id not in newly]
        return fallen

    def endorse(self, passed: Sequence[ProposedLine]) -> dict[int, RefusalError]:
        """Keep the approval of lines above the actor's own limit that nobody else has approved; say what keeps each.

        They are no earlier offences for the others: nothing is approved of them yet.
        """
        limit_fen = authority.limit_of(self.session, self.actor_id, clock.today())
        above = [penalty for penalty in passed if limit_fen is not None and penalty.amount_fen > limit_fen]
        if limit_fen is None or not above:
            return {}
        above_ids = [penalty.id for penalty in above]
        seconded = authority.endorsed_by_others(self.session, above_ids, actor_id=self.actor_id)
        first = [penalty for penalty in above if penalty.id not in seconded]
        wrong = self.recompute(passed) if first else {}
        authority.endorse(self.session, [one for one in first if one.id not in wrong], actor_id=self.actor_id)
        return {one.id: wrong.get(one.id) or authority.needs_second(limit_fen) for one in first}


def moved_since(session: Session, penalty: Penalty) -> RefusalError | None:
    """Say what would keep a proposed penalty from being approved now: its amount, rule or payer moved; None: nothing.

    It only looks, for the page before the decision; approval looks again under locks. Earlier offences that wait too
    count as if they were approved before it.
    """
    waiting = (
        select_lines()
        .where(
            Penalty.contract_id == penalty.contract_id,
            Penalty.offence_code == penalty.offence_code,
            Penalty.state == PenaltyState.PROPOSED,
            Penalty.occurred_on <= penalty.occurred_on,
            Penalty.id != penalty.id,
        )
        .order_by(Penalty.occurred_on.desc(), Penalty.id)
        .limit(_EARLIER_MAX)
    )
    own = session.execute(select_lines().where(Penalty.id == penalty.id)).one()
    lines = [ProposedLine._make(row) for row in (own, *session.execute(waiting))]
    cases = load_cases(session, {line.incident_id for line in lines}, lock=False)
    return _difference(lines[0], expected_amounts(session, lines, cases)[penalty.id])


def _difference(penalty: ProposedLine, expected: Expected | RefusalError) -> RefusalError | None:
    if isinstance(expected, RefusalError):
        return expected
    same = (
        expected.gross_fen == penalty.gross_fen
        and expected.capped_fen == penalty.capped_fen
        and expected.rule_version_id == penalty.rule_version_id
        and expected.rule_sha256 == penalty.rule_sha256
        and expected.family is penalty.family
    )
    if same:
        return None
    return AmountChangedError(
        reference=penalty.reference,
        proposed=format_yuan(penalty.amount_fen),
        now=format_yuan(expected.gross_fen - expected.capped_fen),
    )


def _approve(session: Session, penalties: Sequence[ProposedLine], actor_id: int) -> None:
    if not penalties:
        return
    now = clock.now()
    today = clock.china_day(now)
    hold(session, {penalty.finding_id for penalty in penalties})
    notices = issue(session, penalties, actor_id=actor_id)
    ids, total_fen = [penalty.id for penalty in penalties], sum(penalty.amount_fen for penalty in penalties)
    # An amount that a cap took away wholly is approved, but nothing is posted of it.
    post(session, [_entry(penalty, actor_id, today) for penalty in penalties if penalty.amount_fen])
    record_steps(session, ids, PenaltyState.APPROVED, actor_id=actor_id)
    by_deemed_day: dict[dt.date | None, list[int]] = {}
    for penalty in penalties:
        by_deemed_day.setdefault(notices[penalty.id].deemed_on, []).append(penalty.id)
    for deemed_on, penalty_ids in by_deemed_day.items():
        _write(session, penalty_ids, actor_id=actor_id, now=now, deemed_on=deemed_on)
    record_event(
        session,
        actor_id=actor_id,
        action="penalties.approved",
        subject="penalty",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"penalty_ids": ids, "total_fen": total_fen},
    )


def _write(
    session: Session, penalty_ids: Sequence[int], *, actor_id: int, now: dt.datetime, deemed_on: dt.date | None
) -> None:
    """Write the approval into the rows, which are locked, by one statement: a batch has thousands of them."""
    session.execute(
        update(Penalty)
        .where(among(session, Penalty.id, penalty_ids))
        .values(
            state=PenaltyState.APPROVED,
            approver_id=actor_id,
            approved_at=now,
            listed_at=now,
            deemed_on=deemed_on,
            version=Penalty.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    read_known_again(session, Penalty, penalty_ids)


def _entry(penalty: ProposedLine, approver_id: int, on: dt.date) -> EntryDraft:
    return EntryDraft(
        key=f"penalty:approved:{penalty.id}",
        event="penalty.approved",
        effective_on=on,
        lines=approval_lines(penalty),
        actor_id=penalty.maker_id,
        approver_id=approver_id,
    )


def return_penalties(session: Session, penalty_ids: Sequence[int], reason: str, *, actor_id: int) -> list[RowResult]:
    """Send proposals back with a *reason*; their findings can be priced anew. A result for every id, in order.

    Raises:
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    ids = list(dict.fromkeys(penalty_ids))
    locked = lock_penalties(session, ids)
    results = [RowResult(penalty_id, _not_proposed(locked.get(penalty_id))) for penalty_id in ids]
    returned = [result.subject_id for result in results if result.refusal is None]
    if returned:
        session.execute(
            update(Penalty)
            .where(Penalty.id.in_(returned), Penalty.state == PenaltyState.PROPOSED)
            .values(state=PenaltyState.RETURNED, return_reason=reason.strip(), version=Penalty.version + 1)
        )
        record_steps(session, returned, PenaltyState.RETURNED, actor_id=actor_id, reason=reason.strip())
        record_event(
            session,
            actor_id=actor_id,
            action="penalties.returned",
            subject="penalty",
            subject_id=returned[0] if len(returned) == 1 else None,
            changes={"penalty_ids": returned},
            reason=reason.strip(),
        )
    return results


def _not_proposed(penalty: Penalty | None) -> RefusalError | None:
    if penalty is None:
        return NotFoundError()
    return None if penalty.state is PenaltyState.PROPOSED else AlreadyDecidedError()
