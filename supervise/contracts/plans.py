"""Decisions on the plan catalogue: which plan was published when, at what price, for which channels (domain F55)."""

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from supervise.audit.record import changed, record_event
from supervise.contracts.models import Plan, PlanChannel
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.parties.locks import load
from supervise.parties.models import SalesChannelKind
from supervise.parties.periods import check_order, in_words, overlaps
from supervise.parties.refusals import OverlapError

_record = functools.partial(record_event, subject="plan")


class PlanOverlapError(OverlapError):
    """A code that is published in that period already."""

    message = N_("Plan %(code)s is published as %(name)s from %(first)s until %(end)s")


class PriceError(InvalidInputError):
    """A plan that would pay the subscriber."""

    message = N_("A price cannot be below zero")


@dataclass(frozen=True)
class PlanTerms:
    """What the catalogue says of a plan in a period; with neither kinds nor codes it may be sold everywhere."""

    name: str
    monthly_price_fen: int
    published_from: dt.date
    #: The first day on which it is published no more; None: open.
    published_to: dt.date | None = None
    kinds: frozenset[SalesChannelKind] = frozenset()
    channel_codes: frozenset[str] = frozenset()


def publish_plan(session: Session, code: str, terms: PlanTerms, *, actor_id: int) -> Plan:
    """Enter a plan in the catalogue.

    Raises:
        PeriodOrderError: for an empty period.
        PriceError: for a price below zero.
        PlanOverlapError: if the code is published in the period already.
    """
    _check(session, code, terms)
    row = Plan(
        code=code,
        name=terms.name,
        monthly_price_fen=terms.monthly_price_fen,
        published_from=terms.published_from,
        published_to=terms.published_to,
    )
    session.add(row)
    session.flush()
    _allow(session, row.id, terms)
    facts = _facts(terms)
    # A list alone would read as [before, after].
    given = {name: [[], value] if isinstance(value, list) else value for name, value in facts.items()}
    changes = {"code": code, **given}
    _record(session, subject_id=row.id, action="plan.published", actor_id=actor_id, changes=changes)
    return row


def end_publication(session: Session, plan_id: int, *, on: dt.date, reason: str | None, actor_id: int) -> Plan:
    """Let a plan be published no more; *on* is the first day without it.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        PlanOverlapError: if a later end runs into the next period of the code.
    """
    row = load(session, Plan, plan_id)
    check_order(row.published_from, on)
    if row.published_to is not None and on > row.published_to:
        _check_free(session, row.code, (row.published_to, on))
    changes = {"valid_to": [row.published_to, on]}
    row.published_to = on
    row.version += 1
    _record(session, subject_id=plan_id, action="plan.ended", actor_id=actor_id, changes=changes, reason=reason)
    return row


def correct_plan(session: Session, plan_id: int, terms: PlanTerms, *, reason: str, version: int, actor_id: int) -> Plan:
    """Correct what was entered wrongly of a plan; the trail keeps it as it was. A new price is a new period instead.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        PeriodOrderError: for an empty period.
        PriceError: for a price below zero.
        PlanOverlapError: if the code is published in the new period already.
    """
    row = load(session, Plan, plan_id)
    if row.version != version:
        raise ConflictError
    _check(session, row.code, terms, besides=plan_id)
    before = terms_of(session, row)
    row.name, row.monthly_price_fen = terms.name, terms.monthly_price_fen
    row.published_from, row.published_to = terms.published_from, terms.published_to
    row.version += 1
    session.execute(delete(PlanChannel).where(PlanChannel.plan_id == plan_id))
    _allow(session, plan_id, terms)
    changes = changed(_facts(before), _facts(terms))
    _record(session, subject_id=plan_id, action="plan.corrected", actor_id=actor_id, changes=changes, reason=reason)
    return row


def terms_of(session: Session, row: Plan) -> PlanTerms:
    """Return what the catalogue says of the plan now."""
    channels = session.scalars(select(PlanChannel).where(PlanChannel.plan_id == row.id)).all()
    return PlanTerms(
        name=row.name,
        monthly_price_fen=row.monthly_price_fen,
        published_from=row.published_from,
        published_to=row.published_to,
        kinds=frozenset(one.kind for one in channels if one.kind is not None),
        channel_codes=frozenset(one.channel_code for one in channels if one.channel_code is not None),
    )


def _allow(session: Session, plan_id: int, terms: PlanTerms) -> None:
    session.add_all([PlanChannel(plan_id=plan_id, kind=kind) for kind in sorted(terms.kinds)])
    session.add_all([PlanChannel(plan_id=plan_id, channel_code=code) for code in sorted(terms.channel_codes)])
    session.flush()


def _facts(terms: PlanTerms) -> Mapping[str, object]:
    return {
        "name": terms.name,
        "monthly_price_fen": terms.monthly_price_fen,
        "valid_from": terms.published_from,
        "valid_to": terms.published_to,
        "channel_kinds": sorted(terms.kinds),
        "channel_codes": sorted(terms.channel_codes),
    }


def _check(session: Session, code: str, terms: PlanTerms, *, besides: int = 0) -> None:
    check_order(terms.published_from, terms.published_to)
    if terms.monthly_price_fen < 0:
        raise PriceError
    _check_free(session, code, (terms.published_from, terms.published_to), besides=besides)


def _check_free(session: Session, code: str, period: tuple[dt.date, dt.date | None], *, besides: int = 0) -> None:
    # The database refuses the same: ex_plan_overlap, plan_no_overlap_*.
    query = (
        select(Plan)
        .where(Plan.code == code, Plan.id != besides, overlaps(Plan.published_from, Plan.published_to, *period))
        .order_by(Plan.published_from)
        .limit(1)
    )
    other = session.scalars(query).one_or_none()
    if other is not None:
        first, end = in_words(other.published_from), in_words(other.published_to)
        raise PlanOverlapError(code=code, name=other.name, first=first, end=end)
