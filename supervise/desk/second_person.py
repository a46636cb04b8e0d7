"""Everything that waits for a second person, in one place: the approvals and the home pages read it from here.

Each kind says what waits in one select. The number beside its link counts what the reader may decide on; the list
shows the rest of it too, and why it is somebody else's turn.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, String, case, cast, func, literal, null, or_, select
from sqlalchemy import union_all as union_all_of
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise.access.roles import Permission
from supervise.attribution.models import Attribution, AttributionState
from supervise.compensation.models import (
    CancellationState,
    CompensationPolicy,
    Credit,
    CreditBatch,
    CreditBatchState,
    CreditCancellation,
    CreditState,
    PromiseState,
    Undertaking,
)
from supervise.contracts.models import Contract, ContractState, RuleState, RuleVersion
from supervise.db import UTCDateTime
from supervise.desk.worker import COUNT_MAX, Worker
from supervise.evidence.models import LegalHold
from supervise.labels import N_
from supervise.ledger import reopen
from supervise.parties.models import Party, ProposalState, RegisterProposal
from supervise.penalties.models import (
    Objection,
    ObjectionState,
    Penalty,
    PenaltyState,
    ReversalRequest,
    ReversalState,
    Waiver,
    WaiverState,
)

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
    #: Columns as ``_waiting`` lays them out.
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


def _waiting(
    page_id: ColumnElement[Any] | Any,
    reference: ColumnElement[Any] | Any,
    proposer: ColumnElement[Any] | Any,
    *,
    about: Any = None,
    reason: Any = None,
    amount_fen: Any = None,
    barred: Any = None,
    at: Any = None,
) -> Select[*tuple[Any, ...]]:
    def column(value: Any, kind: Any, name: str) -> ColumnElement[Any]:
        return (cast(null(), kind) if value is None else value).label(name)

    return select(
        page_id.label("page_id"),
        reference.label("reference"),
        column(about, String(), "about"),
        column(reason, String(), "reason"),
        column(amount_fen, BigInteger(), "amount_fen"),
        proposer.label("proposer_id"),
        column(barred, BigInteger(), "barred_id"),
        column(at, UTCDateTime(), "proposed_at"),
    )


def _larger(first: InstrumentedAttribute[int], second: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return case((first > second, first), else_=second)


def _penalties() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Penalty.id, Penalty.reference, Penalty.maker_id, amount_fen=Penalty.amount_fen, at=Penalty.proposed_at
    )
    return columns.where(Penalty.state == PenaltyState.PROPOSED).order_by(Penalty.id)


def _credits() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Credit.id, Credit.reference, Credit.maker_id, amount_fen=Credit.amount_fen, at=Credit.proposed_at
    )
    return columns.where(Credit.state == CreditState.PROPOSED).order_by(Credit.id)


def _overrides() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Attribution.incident_id,
        cast(Attribution.incident_id, String()),
        Attribution.decided_by,
        reason=Attribution.reason,
        at=Attribution.decided_at,
    )
    return columns.where(Attribution.state == AttributionState.WAITING).order_by(Attribution.id)


def _objections() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Penalty.id,
        Penalty.reference,
        Objection.filed_by,
        about=Party.name,
        reason=Objection.body,
        amount_fen=Penalty.amount_fen,
        barred=Penalty.approver_id,
        at=Objection.filed_at,
    )
    return (
        columns.select_from(Objection)
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(Objection.state == ObjectionState.OPEN)
        .order_by(Objection.id)
    )


def _reversals() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        ReversalRequest.penalty_id,
        Penalty.reference,
        ReversalRequest.proposed_by,
        amount_fen=ReversalRequest.amount_fen,
        at=ReversalRequest.proposed_at,
    )
    return (
        columns.select_from(ReversalRequest)
        .join(Penalty, Penalty.id == ReversalRequest.penalty_id)
        .where(ReversalRequest.state == ReversalState.OPEN)
        .order_by(ReversalRequest.id)
    )


def _waivers() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Penalty.id,
        Penalty.reference,
        Waiver.proposed_by,
        about=Party.name,
        reason=Waiver.reason,
        amount_fen=Waiver.amount_fen,
        at=Waiver.proposed_at,
    )
    return (
        columns.select_from(Waiver)
        .join(Penalty, Penalty.id == Waiver.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(Waiver.state == WaiverState.OPEN)
        .order_by(Waiver.id)
    )


def _voids() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        CreditBatch.id, CreditBatch.number, CreditBatch.void_proposed_by, amount_fen=CreditBatch.total_fen
    )
    asked = CreditBatch.void_proposed_by.is_not(None)
    return columns.where(asked, CreditBatch.state == CreditBatchState.SENT).order_by(CreditBatch.id)


def _cancellations() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Credit.id,
        Credit.reference,
        CreditCancellation.proposed_by,
        reason=CreditCancellation.reason,
        amount_fen=Credit.amount_fen,
        at=CreditCancellation.proposed_at,
    )
    return (
        columns.select_from(CreditCancellation)
        .join(Credit, Credit.id == CreditCancellation.credit_id)
        .where(CreditCancellation.state == CancellationState.OPEN)
        .order_by(CreditCancellation.id)
    )


def _contracts() -> Select[*tuple[Any, ...]]:
    columns = _waiting(Contract.id, Contract.number, Contract.drafted_by, about=Contract.name)
    return columns.where(Contract.state == ContractState.DRAFT).order_by(Contract.id)


def _rules() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        RuleVersion.id,
        RuleVersion.code + " v" + cast(RuleVersion.number, String()),
        RuleVersion.drafted_by,
        about=Contract.name,
    )
    return (
        columns.select_from(RuleVersion)
        .join(Contract, Contract.id == RuleVersion.contract_id)
        .where(RuleVersion.state == RuleState.DRAFT)
        .order_by(RuleVersion.id)
    )


def _undertakings() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        Undertaking.id,
        Undertaking.reference,
        Undertaking.drafted_by,
        amount_fen=_larger(Undertaking.lump_fen, Undertaking.per_call_fen),
        at=Undertaking.drafted_at,
    )
    return columns.where(Undertaking.state == PromiseState.DRAFT).order_by(Undertaking.id)


def _policies() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        CompensationPolicy.id,
        CompensationPolicy.code,
        CompensationPolicy.drafted_by,
        about=CompensationPolicy.name,
        amount_fen=CompensationPolicy.per_call_fen,
    )
    return columns.where(CompensationPolicy.state == PromiseState.DRAFT).order_by(CompensationPolicy.id)


def _register_changes() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        RegisterProposal.id,
        cast(RegisterProposal.id, String()),
        RegisterProposal.proposed_by,
        at=RegisterProposal.proposed_at,
    )
    return columns.where(RegisterProposal.state == ProposalState.OPEN).order_by(RegisterProposal.id)


def _reopenings() -> Select[*tuple[Any, ...]]:
    request = reopen.ReopeningRow
    columns = _waiting(request.id, request.month, request.asked_by, reason=request.reason, at=request.asked_at)
    return columns.where(reopen.waits()).order_by(request.id)


def _hold_releases() -> Select[*tuple[Any, ...]]:
    columns = _waiting(
        LegalHold.id,
        cast(LegalHold.id, String()),
        LegalHold.placed_by,
        about=LegalHold.reason,
        reason=LegalHold.release_asked_reason,
        at=LegalHold.release_asked_at,
    )
    asked = LegalHold.release_asked_at.is_not(None)
    return columns.where(asked, LegalHold.released_at.is_(None)).order_by(LegalHold.release_asked_at, LegalHold.id)


#: In the order of the pages. The tests look for every table with a second person in it that is not named here.
KINDS = (
    Kind("penalties", N_("Penalties to approve"), _P.APPROVE_MONEY, _penalties(), "approvals.index"),
    Kind("credits", N_("Credits to approve"), _P.APPROVE_MONEY, _credits(), "approvals.credits"),
    Kind("overrides", N_("Overrides to confirm"), _P.CONFIRM_OVERRIDES, _overrides(), "incidents.overrides"),
    Kind(
        "objections",
        N_("Objections to decide"),
        _P.DECIDE_APPEALS,
        _objections(),
        page=("penalties.detail", "penalty_id"),
    ),
    Kind("reversals", N_("Reversals of final penalties"), _P.APPROVE_REVERSALS, _reversals()),
    Kind("waivers", N_("Waivers to decide"), _P.APPROVE_MONEY, _waivers(), page=("penalties.waivers", "penalty_id")),
    Kind("voids", N_("Voids of credit batches"), _P.APPROVE_REVERSALS, _voids()),
    Kind(
        "cancellations",
        N_("Cancellations of approved credits"),
        _P.APPROVE_REVERSALS,
        _cancellations(),
        page=("credits.detail", "credit_id"),
    ),
    Kind(
        "reopenings",
        N_("Closed months to reopen"),
        _P.CONFIRM_REOPENINGS,
        _reopenings(),
        "ledger.months",
        arguments={"_anchor": "reopenings"},
    ),
    Kind(
        "undertakings",
        N_("Undertakings to agree to"),
        _P.AGREE_UNDERTAKINGS,
        _undertakings(),
        page=("undertakings.detail", "undertaking_id"),
    ),
    Kind(
        "policies",
        N_("Compensation policies to agree to"),
        _P.AGREE_UNDERTAKINGS,
        _policies(),
        page=("undertakings.policies", ""),
    ),
    Kind(
        "contracts",
        N_("Contracts to put into force"),
        _P.ACTIVATE_CONTRACTS,
        _contracts(),
        page=("contracts.detail", "contract_id"),
    ),
    Kind(
        "rules",
        N_("Rule versions to put into force"),
        _P.ACTIVATE_CONTRACTS,
        _rules(),
        page=("contracts.rule", "rule_id"),
    ),
    Kind(
        "register_changes",
        N_("Proposals to the registers"),
        _P.ACCEPT_REGISTER_CHANGES,
        _register_changes(),
        "register_proposals.index",
    ),
    Kind(
        "hold_releases",
        N_("Legal holds to release"),
        _P.CONFIRM_OVERRIDES,
        _hold_releases(),
        page=("records.release_hold", "legal_hold_id"),
    ),
)


def waiting_for_second_person(session: Session, worker: Worker) -> list[Waiting]:
    """Return each kind that *worker* decides on, with how many they may decide on now; at most ``COUNT_MAX``."""
    kinds = [kind for kind in KINDS if kind.needs in worker.permissions]
    if not kinds:
        return []
    parts = [_count(kind, worker) for kind in kinds]
    found: dict[str, int] = dict(iter(session.execute(union_all_of(*parts))))
    return [Waiting(kind, found[kind.name]) for kind in kinds]


def _count(kind: Kind, worker: Worker) -> Select[str, int]:
    # Who decides as a second person sees every row; a user who does not has nothing here.
    open_ = worker.scope.limit(kind.matters.order_by(None)).subquery()
    mine = select(open_.c.page_id).where(
        open_.c.proposer_id != worker.id,
        or_(open_.c.barred_id.is_(None), open_.c.barred_id != worker.id),
    )
    if worker.limit_fen is not None:
        mine = mine.where(or_(open_.c.amount_fen.is_(None), open_.c.amount_fen <= worker.limit_fen))
    return select(literal(kind.name, String()), func.count()).select_from(mine.limit(COUNT_MAX).subquery())


def matters_of(session: Session, worker: Worker, kind: Kind) -> Sequence[Matter]:
    """Return what waits of one kind, the oldest first, at most ``ROWS_MAX``; the reader's own proposals too."""
    return [Matter._make(row) for row in session.execute(worker.scope.limit(kind.matters).limit(ROWS_MAX))]
