"""Named reads of regulator's fines: the list, one with all that belongs to it, and whether the ledger agrees."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from supervise.errors import NotFoundError
from supervise.files.models import Attachment
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import unexplained_dimensions
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.fine_models import (
    LIVE_RECOURSE_STATES,
    FinePaper,
    FineRecourse,
    FineRespondent,
    FineState,
    RecourseState,
    RegulatorFine,
)
from supervise.penalties.models import PenaltyFamily

PAGE = 50


class FineRow(NamedTuple):
    """A fine in the list, with what is claimed back and what came; amounts in fen."""

    fine: RegulatorFine
    unit: str
    claimed_fen: int
    approved_fen: int
    received_fen: int


class RecourseRow(NamedTuple):
    """A recourse line with its party."""

    line: FineRecourse
    party: str
    fine: RegulatorFine


class Scan(NamedTuple):
    """A scan of a fine and the file that it is."""

    row: FinePaper
    attachment: Attachment


def fines_newest_first(session: Session, *, text: str = "", before: int = 0, limit: int = PAGE) -> Sequence[FineRow]:
    """Return fines, the newest first, after the one with the id *before*; *text* is part of what the decision says."""
    query = _rows().order_by(RegulatorFine.id.desc()).limit(limit)
    if before:
        query = query.where(RegulatorFine.id < before)
    if text:
        said = RegulatorFine.authority + " " + RegulatorFine.decision_number + " " + RegulatorFine.reference
        query = query.where(func.lower(said).contains(text.lower(), autoescape=True))
    return [_row(row) for row in session.execute(query)]


def fine_by_id(session: Session, fine_id: int) -> FineRow:
    """Return one fine.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.execute(_rows().where(RegulatorFine.id == fine_id)).first()
    if row is None:
        raise NotFoundError
    return _row(row)


def _rows() -> Select[*tuple[Any, ...]]:
    claimed = func.coalesce(func.sum(FineRecourse.amount_fen).filter(FineRecourse.state.in_(LIVE_RECOURSE_STATES)), 0)
    is_approved = FineRecourse.state == RecourseState.APPROVED
    sums = (
        select(
            FineRecourse.fine_id,
            claimed.label("claimed"),
            func.coalesce(func.sum(FineRecourse.amount_fen).filter(is_approved), 0).label("approved"),
            func.coalesce(func.sum(FineRecourse.received_fen).filter(is_approved), 0).label("received"),
        )
        .group_by(FineRecourse.fine_id)
        .subquery()
    )
    return (
        select(RegulatorFine, OrgUnit.name, sums.c.claimed, sums.c.approved, sums.c.received)
        .join(OrgUnit, OrgUnit.id == RegulatorFine.unit_id)
        .join(sums, sums.c.fine_id == RegulatorFine.id, isouter=True)
    )


def _row(row: Row[*tuple[Any, ...]]) -> FineRow:
    return FineRow(row[0], row[1], *(int(fen or 0) for fen in row[2:]))


def recourse_of_fine(session: Session, fine_id: int) -> Sequence[RecourseRow]:
    """Return the recourse lines of a fine, in the order in which they were proposed."""
    return _lines(session, _of_lines().where(FineRecourse.fine_id == fine_id).order_by(FineRecourse.id))


def recourse_of_party(session: Session, scope: Scope, party_id: int) -> Sequence[RecourseRow]:
    """Return what is claimed from a party in *scope* and was approved, the newest first; a branch by its own party."""
    query = _of_lines().where(
        FineRecourse.party_id == party_id, FineRecourse.state.in_((RecourseState.APPROVED, RecourseState.REVERSED))
    )
    limited = scope.limit(query, unit=FineRecourse.unit_id, party=FineRecourse.party_id)
    return _lines(session, limited.order_by(FineRecourse.id.desc()))


def _of_lines() -> Select[*tuple[Any, ...]]:
    return (
        select(FineRecourse, Party.name, RegulatorFine)
        .join(Party, Party.id == FineRecourse.party_id)
        .join(RegulatorFine, RegulatorFine.id == FineRecourse.fine_id)
    )


def _lines(session: Session, query: Select[*tuple[Any, ...]]) -> Sequence[RecourseRow]:
    return [RecourseRow._make(row) for row in session.execute(query)]


def respondents_of(session: Session, fine_id: int) -> Sequence[Party]:
    """Return the parties that the decision names, by name."""
    query = select(Party).join(FineRespondent, FineRespondent.party_id == Party.id)
    return session.scalars(query.where(FineRespondent.fine_id == fine_id).order_by(Party.name, Party.id)).all()


def scans_of(session: Session, fine_id: int) -> Sequence[Scan]:
    """Return the scans of a fine, in the order in which they came."""
    query = select(FinePaper, Attachment).join(Attachment, Attachment.id == FinePaper.attachment_id)
    return [
        Scan._make(row) for row in session.execute(query.where(FinePaper.fine_id == fine_id).order_by(FinePaper.id))
    ]


def scan_by_id(session: Session, paper_id: int) -> Scan:
    """Return one scan.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.get(FinePaper, paper_id)
    if row is None:
        raise NotFoundError
    return Scan(row, session.get_one(Attachment, row.attachment_id))


def claims_beyond_fine(session: Session) -> Sequence[int]:
    """Return fines of which more is claimed back than they are."""
    query = (
        select(RegulatorFine.id)
        .join(FineRecourse, FineRecourse.fine_id == RegulatorFine.id)
        .where(FineRecourse.state.in_(LIVE_RECOURSE_STATES))
        .group_by(RegulatorFine.id, RegulatorFine.amount_fen, RegulatorFine.state)
        .having(
            (func.sum(FineRecourse.amount_fen) > RegulatorFine.amount_fen)
            | (RegulatorFine.state == FineState.CANCELLED)
        )
    )
    return session.scalars(query.order_by(RegulatorFine.id)).all()


def claims_against_ledger(session: Session) -> Sequence[int]:
    """Return the parties and units whose approved claims are not what the ledger holds."""
    found: set[int] = set()
    for family, account, owner in (
        (PenaltyFamily.EXTERNAL, AccountCode.FINE_RECOVERABLE, FineRecourse.party_id),
        (PenaltyFamily.INTERNAL, AccountCode.FINE_ASSESSMENT, FineRecourse.unit_id),
    ):
        query = (
            select(owner, func.sum(FineRecourse.amount_fen - FineRecourse.received_fen))
            .where(FineRecourse.family == family, FineRecourse.state == RecourseState.APPROVED)
            .group_by(owner)
        )
        expected = {int(one or 0): int(total) for one, total in session.execute(query)}
        found |= unexplained_dimensions(session, account, expected)
    return sorted(found)


def refunds_owed() -> Select[int, int]:
    """Return (party, amount) of what was paid for claims that were reversed since, negative: owed by us."""
    return select(FineRecourse.party_id, -FineRecourse.received_fen).where(
        FineRecourse.state == RecourseState.REVERSED, FineRecourse.received_fen > 0
    )
