"""Notices: what one charged party is told of one run of approvals, with all its lines (domain F51).

Delivery starts the window of every line (``penalties.windows``). A party that nobody can open it for gets it on paper.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows
from supervise.complaints.models import DayType
from supervise.complaints.workdays import Calendar, load_calendar
from supervise.contracts.rules import content_sha256
from supervise.contracts.terms import ContractTermsAt, terms_at
from supervise.db import reserve_ids
from supervise.parties.models import Party, UserScope
from supervise.parties.tree import path_to_root, with_merged
from supervise.penalties.models import Penalty, PenaltyFamily
from supervise.penalties.notice_models import Notice, NoticeLine
from supervise.penalties.proposed import ProposedLine

#: Damages of a partner go on one notice whichever branch sponsors them; an assessment names its branch.
Charged = tuple[PenaltyFamily, int, int | None]


def issue(session: Session, penalties: Sequence[ProposedLine], *, actor_id: int) -> dict[int, Notice]:
    """Tell each charged party of *penalties*, which are being approved, in one notice each.

    Returns the notice of each penalty, by its id; the caller writes the notice's deemed day into the row.

    The lines stand in the order of the calls. Where nobody of the party could open it, nothing counts as delivered by
    itself: the notice waits to be printed.
    """
    if not penalties:
        return {}
    groups: dict[Charged, list[ProposedLine]] = {}
    for penalty in sorted(penalties, key=lambda one: (one.occurred_on, one.id)):
        unit_id = penalty.unit_id if penalty.family is PenaltyFamily.INTERNAL else None
        groups.setdefault((penalty.family, penalty.party_id, unit_id), []).append(penalty)
    today = clock.today()
    within_reach = reached(session, groups, today)
    calendar = load_calendar(session)
    terms = terms_at(session, {penalty.contract_id for penalty in penalties}, today)
    ids = reserve_ids(session, Notice.__table__, len(groups))
    notices = []
    for notice_id, (charged, lines) in zip(ids, groups.items(), strict=True):
        deemed_on = deemed_day(calendar, [terms[line.contract_id] for line in lines], today)
        notices.append(_notice(notice_id, lines, deemed_on if charged in within_reach else None, actor_id))
    session.add_all(notices)
    session.flush()
    _insert_lines(session, zip(ids, groups.values(), strict=True))
    record_event(
        session,
        actor_id=actor_id,
        action="notices.issued",
        subject="notice",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"notice_ids": ids, "total_fen": sum(notice.total_fen for notice in notices)},
    )
    return {line.id: notice for notice, lines in zip(notices, groups.values(), strict=True) for line in lines}


def charged_by(notice: Notice) -> Charged:
    """Return whom *notice* charges, as ``reached`` asks."""
    return notice.family, notice.party_id, notice.unit_id if notice.family is PenaltyFamily.INTERNAL else None


def _notice(notice_id: int, lines: Sequence[ProposedLine], deemed_on: dt.date | None, actor_id: int) -> Notice:
    first, now = lines[0], clock.now()
    reference = f"TZ{clock.china_day(now):%Y%m}-{notice_id:06d}"
    units = {line.unit_id for line in lines}
    return Notice(
        id=notice_id,
        reference=reference,
        family=first.family,
        party_id=first.party_id,
        unit_id=units.pop() if len(units) == 1 else None,
        issued_at=now,
        issued_by=actor_id,
        lines=len(lines),
        total_fen=sum(line.amount_fen for line in lines),
        by_post=deemed_on is None,
        deemed_on=deemed_on,
        content_sha256=hash_of(reference, first.party_id, map(told_of, lines)),
    )


def told_of(line: Penalty | ProposedLine) -> tuple[str, int, str]:
    """Return what a notice says of one line: its reference, amount in fen and content hash."""
    return line.reference, line.amount_fen, line.content_sha256


def hash_of(reference: str, party_id: int, told: Iterable[tuple[str, int, str]]) -> str:
    """Return the hash of what a notice says, its lines (``told_of``) in their order."""
    return content_sha256({"reference": reference, "party_id": party_id, "lines": list(told)})


def _insert_lines(session: Session, groups: Iterable[tuple[int, Sequence[ProposedLine]]]) -> None:
    rows = [
        {"penalty_id": line.id, "notice_id": notice_id, "position": position}
        for notice_id, lines in groups
        for position, line in enumerate(lines, start=1)
    ]
    insert_rows(session, NoticeLine.__table__, rows)


def deemed_day(calendar: Calendar, terms: Collection[ContractTermsAt], listed_on: dt.date) -> dt.date:
    """Return the day on which what was listed on a day counts as delivered; of several contracts the latest."""
    days = max(term.deemed_days for term in terms)
    return calendar.add_days(listed_on, days, DayType.WORKING).day


def reached(session: Session, charged: Collection[Charged], on: dt.date) -> set[Charged]:
    """Return those of *charged* for whom somebody can sign in and look."""
    partners = _with_contact(session, {party_id for family, party_id, _ in charged if family is PenaltyFamily.EXTERNAL})
    branches = _with_manager(session, {unit_id for _, _, unit_id in charged if unit_id is not None}, on)
    return {one for one in charged if (one[2] in branches if one[0] is PenaltyFamily.INTERNAL else one[1] in partners)}


def _with_contact(session: Session, party_ids: Collection[int]) -> set[int]:
    """Return the parties with an active contact, their own or of a party merged with them."""
    survivor = func.coalesce(Party.merged_into_id, Party.id)
    given = (
        select(survivor)
        .join(UserScope, UserScope.party_id == Party.id)
        .join(User, User.id == UserScope.user_id)
        .where(User.active, User.role == Role.PARTNER_CONTACT)
    )
    return set(session.scalars(select(Party.id).where(among(session, Party.id, party_ids), survivor.in_(given))))


def _with_manager(session: Session, unit_ids: Collection[int], on: dt.date) -> set[int]:
    """Return the units with an active branch manager, of their own or of a unit above."""
    given = (
        select(UserScope.org_unit_id)
        .join(User, User.id == UserScope.user_id)
        .where(User.active, User.role == Role.BRANCH_MANAGER, UserScope.org_unit_id.is_not(None))
    )
    managed = with_merged(session, {unit_id for unit_id in session.scalars(given) if unit_id is not None})
    return {
        unit_id
        for unit_id in unit_ids
        if unit_id in managed or any(unit.id in managed for unit in path_to_root(session, unit_id, on))
    }
