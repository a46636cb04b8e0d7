"""Everything that waits for a second person, in one place: the approvals and the home pages read it from here.

Each kind says what waits in one select. The number beside its link counts what the reader may decide on; the list
shows the rest of it too, and why it is somebody else's turn.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Select, String, bindparam, func, literal, or_, select
from sqlalchemy import union_all as union_all_of
from sqlalchemy.orm import Session

from supervise.access.roles import Permission
from supervise.db import Key
from supervise.desk import second_person_matters as matters
from supervise.desk import second_person_registers as registers
from supervise.desk.worker import COUNT_MAX, Worker
from supervise.labels import N_

#: Rows of one kind on the page; the oldest come first, so that none is forgotten.
ROWS_MAX = 100
_P = Permission


@dataclass(frozen=True)
class Kind:
    """A decision that takes two people."""

    name: str
    #: What waits, in words (a message id).
    words: str
    #: Who decides as the second person.
    needs: Permission
    #: Columns as ``second_person_matters`` lays them out.
    matters: Select[*tuple[Any, ...]]
    #: The list that holds all of it and nothing else; None: the page of second persons, which lists it itself.
    endpoint: str | None = None
    #: The page of one of them, and the name of its id in the address ("" for a page without one).
    page: tuple[str, str] = ("", "")
    arguments: Mapping[str, str] = field(default_factory=dict)


class Matter(NamedTuple):
    """Something that one person has proposed and another one decides on."""

    page_id: int
    reference: str
    #: Whom or what it is about.
    about: str | None
    reason: str | None
    amount_fen: int | None
    proposer_id: int
    #: Who may not decide on it either.
    barred_id: int | None
    proposed_at: dt.datetime | None


class Waiting(NamedTuple):
    """How many of one kind wait for the reader, and where they are listed."""

    kind: Kind
    rows: int

    @property
    def endpoint(self) -> str:
        """The page that lists them."""
        return self.kind.endpoint or "approvals.second_person"

    @property
    def arguments(self) -> Mapping[str, str]:
        """What the address of that page carries besides."""
        return self.kind.arguments if self.kind.endpoint else {"_anchor": self.kind.name}


#: In the order of the pages. The tests look for every table with a second person in it that is not named here.
KINDS = (
    Kind("penalties", N_("Penalties to approve"), _P.APPROVE_MONEY, matters.penalties(), "approvals.index"),
    Kind("credits", N_("Credits to approve"), _P.APPROVE_MONEY, matters.proposed_credits(), "approvals.credits"),
    Kind("overrides", N_("Overrides to confirm"), _P.CONFIRM_OVERRIDES, matters.overrides(), "incidents.overrides"),
    Kind(
        "objections",
        N_("Objections to decide"),
        _P.DECIDE_APPEALS,
        matters.objections(),
        page=("penalties.detail", "penalty_id"),
    ),
    Kind("reversals", N_("Reversals of final penalties"), _P.APPROVE_REVERSALS, matters.reversals()),
    Kind(
        "fine_claims",
        N_("Claims of fines to approve"),
        _P.APPROVE_MONEY,
        matters.fine_claims(),
        page=("fines.detail", "fine_id"),
    ),
    Kind("recoveries", N_("Recoveries to approve"), _P.APPROVE_MONEY, matters.recoveries(), "recoveries.index"),
    Kind(
        "adjustments",
        N_("Follow-up adjustments to decide"),
        _P.APPROVE_MONEY,
        matters.adjustments(),
        "approvals.adjustments",
    ),
    Kind(
        "waivers",
        N_("Waivers to decide"),
        _P.APPROVE_MONEY,
        matters.waivers(),
        page=("penalties.waivers", "penalty_id"),
    ),
    Kind(
        "sparings",
        N_("Spared calls to agree to"),
        _P.APPROVE_MONEY,
        registers.sparings(),
        page=("incidents.detail", "incident_id"),
    ),
    Kind(
        "sanctions",
        N_("Sanctions to decide"),
        _P.APPROVE_SANCTIONS,
        matters.sanctions(),
        page=("sanctions.detail", "sanction_id"),
    ),
    Kind(
        "settlement_runs",
        N_("Settlement runs to approve"),
        _P.APPROVE_MONEY,
        matters.settlement_runs(),
        page=("settlements.run", "run_id"),
    ),
    Kind(
        "write_offs",
        N_("Write-offs to approve"),
        _P.APPROVE_MONEY,
        matters.write_offs(),
        page=("settlements.write_off", "write_off_id"),
    ),
    Kind("voids", N_("Voids of credit batches"), _P.APPROVE_REVERSALS, matters.voids()),
    Kind(
        "cancellations",
        N_("Cancellations of approved credits"),
        _P.APPROVE_REVERSALS,
        matters.cancellations(),
        page=("credits.detail", "credit_id"),
    ),
    Kind(
        "reopenings",
        N_("Closed months to reopen"),
        _P.CONFIRM_REOPENINGS,
        matters.reopenings(),
        "ledger.months",
        arguments={"_anchor": "reopenings"},
    ),
    Kind(
        "undertakings",
        N_("Undertakings to agree to"),
        _P.AGREE_UNDERTAKINGS,
        matters.undertakings(),
        page=("undertakings.detail", "undertaking_id"),
    ),
    Kind(
        "policies",
        N_("Compensation policies to agree to"),
        _P.AGREE_UNDERTAKINGS,
        matters.policies(),
        page=("undertakings.policies", ""),
    ),
    Kind(
        "contracts",
        N_("Contracts to put into force"),
        _P.ACTIVATE_CONTRACTS,
        matters.contracts(),
        page=("contracts.detail", "contract_id"),
    ),
    Kind(
        "amendments",
        N_("Amendments to put into force"),
        _P.ACTIVATE_CONTRACTS,
        matters.amendments(),
        page=("contracts.detail", "contract_id"),
    ),
    Kind(
        "rules",
        N_("Rule versions to put into force"),
        _P.ACTIVATE_CONTRACTS,
        matters.rules(),
        page=("contracts.rule", "rule_id"),
    ),
    Kind(
        "register_changes",
        N_("Proposals to the registers"),
        _P.ACCEPT_REGISTER_CHANGES,
        registers.register_changes(),
        "register_proposals.index",
    ),
    Kind(
        "mergers",
        N_("Mergers of parties with open money"),
        _P.APPROVE_MONEY,
        registers.mergers(),
        page=("parties.merger", "merge_id"),
    ),
    Kind(
        "hold_releases",
        N_("Legal holds to release"),
        _P.CONFIRM_OVERRIDES,
        registers.hold_releases(),
        page=("records.release_hold", "legal_hold_id"),
    ),
)


def waiting_for_second_person(session: Session, worker: Worker) -> list[Waiting]:
    """Return each kind that *worker* decides on, with how many they may decide on now; at most ``COUNT_MAX``."""
    kinds = [kind for kind in KINDS if kind.needs in worker.permissions]
    if not kinds:
        return []
    # Who decides as a second person sees every row; a user who does not has nothing here.
    if not worker.scope.sees_everything:
        return [Waiting(kind, 0) for kind in kinds]
    query = _counts(tuple(kind.name for kind in kinds), is_limited=worker.limit_fen is not None)
    found: dict[str, int] = dict(iter(session.execute(query, {"me": worker.id, "limit_fen": worker.limit_fen})))
    return [Waiting(kind, found[kind.name]) for kind in kinds]


@cache
def _counts(names: tuple[str, ...], *, is_limited: bool) -> CompoundSelect[str, int]:
    # Built once for each set of permissions: putting a score of selects together takes longer than running them.
    return union_all_of(*(_count(kind, is_limited=is_limited) for kind in KINDS if kind.name in names))


def _count(kind: Kind, *, is_limited: bool) -> Select[str, int]:
    open_ = kind.matters.order_by(None).subquery()
    me = bindparam("me", type_=Key)
    mine = select(open_.c.page_id).where(
        open_.c.proposer_id != me, or_(open_.c.barred_id.is_(None), open_.c.barred_id != me)
    )
    if is_limited:
        within = open_.c.amount_fen <= bindparam("limit_fen", type_=Key)
        mine = mine.where(or_(open_.c.amount_fen.is_(None), within))
    return select(literal(kind.name, String()), func.count()).select_from(mine.limit(COUNT_MAX).subquery())


def matters_of(session: Session, worker: Worker, kind: Kind) -> Sequence[Matter]:
    """Return what waits of one kind, the oldest first, at most ``ROWS_MAX``; the reader's own proposals too."""
    return [Matter._make(row) for row in session.execute(worker.scope.limit(kind.matters).limit(ROWS_MAX))]
