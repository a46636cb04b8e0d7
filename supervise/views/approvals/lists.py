"""What waits for an approver: penalties, credits, and everything else that needs a second person."""

import re
from typing import NamedTuple

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.compensation import waiting as credits_waiting
from supervise.compensation.pricing import explain_in_words as explain_credit
from supervise.complaints.offences import offence_types
from supervise.desk.second_person import Waiting, matters_of, waiting_for_second_person
from supervise.desk.worker import Worker
from supervise.parties.scope import Scope
from supervise.penalties import waiting as penalties_waiting
from supervise.penalties.explain import explain_in_words
from supervise.views.addresses import address_with
from supervise.views.approvals.blueprint import bp
from supervise.views.filters import named
from supervise.views.navigation import url_of

#: Sums of parties and rules on the page, the largest first, before the rest is folded away.
_SUMS_SHOWN = 12


class RefusedReturn(NamedTuple):
    """A return that was refused for its reason: what was chosen and typed stays on the page."""

    picked: frozenset[int]
    typed: str
    words: str


def _after(parts: int) -> tuple[int, ...] | None:
    """Return the place in the address after which this page begins; nonsense begins at the top."""
    match = re.fullmatch(rf"[01](-[0-9]{{1,18}}){{{parts - 1}}}", request.args.get("after", ""), re.ASCII)
    return tuple(int(part) for part in match[0].split("-")) if match else None


@bp.get("/")
@require(Permission.APPROVE_MONEY)
def index() -> ResponseReturnValue:
    """Show the proposed penalties, the exceptions first, with the sums of each party and rule on top."""
    return penalties_page()


def penalties_page(refused: RefusedReturn | None = None) -> str:
    """Return the page of waiting penalties that the address names, with what was *refused* of it."""
    me, after, party_id = current_user(), _after(3), request.args.get("party", type=int)
    with db.reading() as session:
        page = penalties_waiting.waiting_penalties(
            session, actor_id=me.id, party_id=party_id, after=penalties_waiting.Place(*after) if after else None
        )
        names = {code: named(row) for code, row in offence_types(session).items()}
        people = display_names(session, [row.penalty.maker_id for row in page.rows])
        totals = penalties_waiting.approval_totals(session, limit=None if "sums" in request.args else _SUMS_SHOWN)
        shown = totals if party_id is None else penalties_waiting.approval_totals(session, party_id=party_id, limit=1)
        waiting = waiting_for(session, me)
    return render_template(
        "approvals/penalties.html",
        rows=page.rows,
        words={row.penalty.id: explain_in_words(row.penalty.explanation, names) for row in page.rows},
        names=names,
        people=people,
        totals=totals,
        all_sums_url=address_with(".index", sums="all"),
        together=(shown.penalties, shown.amount_fen),
        waiting=waiting,
        party_id=party_id,
        me=me,
        refused=refused,
        decide_url=address_with(".decide_penalties"),
        next_url=address_with(".index", after="-".join(map(str, page.after))) if page.after else None,
    )


@bp.get("/credits")
@require(Permission.APPROVE_MONEY)
def credits() -> ResponseReturnValue:  # noqa: A001 - the endpoint is called so
    """Show the proposed credits, lump sums first, with the sums of each promise and branch on top."""
    return credits_page()


def credits_page(refused: RefusedReturn | None = None) -> str:
    """Return the page of waiting credits that the address names, with what was *refused* of it."""
    me, after = current_user(), _after(2)
    with db.reading() as session:
        page = credits_waiting.waiting_credits(session, after=(after[0], after[1]) if after else None)
        totals = credits_waiting.credit_totals(session)
        people = display_names(session, [row.credit.maker_id for row in page.rows])
        waiting = waiting_for(session, me)
    return render_template(
        "approvals/credits.html",
        rows=page.rows,
        words={row.credit.id: explain_credit(row.credit.explanation) for row in page.rows},
        people=people,
        totals=totals,
        together=(sum(row.credits for row in totals), sum(row.amount_fen for row in totals)),
        waiting=waiting,
        me=me,
        refused=refused,
        decide_url=address_with(".decide_credits"),
        next_url=address_with(".credits", after=f"{page.after[0]}-{page.after[1]}") if page.after else None,
    )


@bp.get("/second-person")
@require(Permission.APPROVE_REVERSALS)
def second_person() -> ResponseReturnValue:
    """Show everything else that waits for a second person, each with its page."""
    me = current_user()
    with db.reading() as session:
        worker = _worker(session, me)
        waiting = waiting_for_second_person(session, worker)
        shown = [one.kind for one in waiting if one.kind.page[0]]
        matters = {kind.name: rows for kind in shown if (rows := matters_of(session, worker, kind))}
        reversals = penalties_waiting.reversals_to_decide(session)
        batches = credits_waiting.batches_to_void(session)
        proposers = [row.request.proposed_by for row in reversals] + [batch.void_proposed_by for batch in batches]
        proposers += [matter.proposer_id for rows in matters.values() for matter in rows]
        people = display_names(session, proposers)
    return render_template(
        "approvals/second_person.html",
        reversals=reversals,
        batches=batches,
        matters=matters,
        people=people,
        waiting=waiting,
        urls={one.kind.name: url_of(one.endpoint, **one.arguments) for one in waiting},
        me=me,
    )


def _worker(session: Session, me: CurrentUser) -> Worker:
    return Worker(me.id, me.permissions, Scope.of(session, me), me.deputy_limit_fen)


def waiting_for(session: Session, me: CurrentUser) -> list[Waiting]:
    """Return what waits for the reader as a second person, by kind: the tabs count it."""
    return waiting_for_second_person(session, _worker(session, me))
