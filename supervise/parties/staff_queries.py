"""Named reads of staff numbers and of proposals to the registers, each within a scope."""

from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.errors import NotFoundError
from supervise.parties.models import Party, ProposalState, RegisterProposal, StaffNumber
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found
from supervise.parties.scope import Scope

S = TypeVar("S", bound=Select[*tuple[Any, ...]])


class StaffFilters(NamedTuple):
    """What the list of staff numbers is narrowed by; *text* fits the number, the alias or the employer."""

    text: str = ""
    carrier_code: str = ""
    #: True: only those in force today.
    present: bool = False


class StaffRow(NamedTuple):
    """A staff number with the names of employer and place."""

    row: StaffNumber
    employer: Party
    place: Party | None


def staff_by_number(
    session: Session,
    scope: Scope,
    filters: StaffFilters,
    *,
    after: tuple[str, int] | None = None,
    limit: int = AT_ONCE,
) -> list[StaffRow]:
    """Return up to *limit* staff numbers after (number, id) *after*, by number, each period a row."""
    employer, place = aliased(Party), aliased(Party)
    query = (
        select(StaffNumber, employer, place)
        .join(employer, employer.id == StaffNumber.employer_id)
        .outerjoin(place, place.id == StaffNumber.placed_at_id)
        .order_by(StaffNumber.staff_number, StaffNumber.id)
        .limit(limit)
    )
    if after is not None:
        number, staff_id = after
        query = query.where(
            or_(
                StaffNumber.staff_number > number,
                and_(StaffNumber.staff_number == number, StaffNumber.id > staff_id),
            )
        )
    if filters.text:
        query = query.where(
            or_(
                StaffNumber.staff_number.startswith(filters.text, autoescape=True),
                contains(StaffNumber.alias, filters.text),
                contains(employer.name, filters.text),
            )
        )
    if filters.carrier_code:
        query = query.where(StaffNumber.carrier_code == filters.carrier_code)
    if filters.present:
        query = query.where(holds_at(StaffNumber.valid_from, StaffNumber.valid_to, clock.today()))
    return [StaffRow(*row) for row in session.execute(_own_staff(query, scope))]


def _own_staff(query: S, scope: Scope) -> S:
    employed, placed = (
        scope.condition(party=StaffNumber.employer_id),
        scope.condition(party=StaffNumber.placed_at_id),
    )
    return query.where(or_(employed, placed))


def staff_in_scope(session: Session, scope: Scope, staff_id: int) -> StaffRow:
    """Return the staff number.

    Raises:
        NotFoundError: if there is none, or neither employer nor place is an own party.
    """
    employer, place = aliased(Party), aliased(Party)
    query = (
        select(StaffNumber, employer, place)
        .join(employer, employer.id == StaffNumber.employer_id)
        .outerjoin(place, place.id == StaffNumber.placed_at_id)
        .where(StaffNumber.id == staff_id)
    )
    row = session.execute(_own_staff(query, scope)).one_or_none()
    if row is None:
        raise NotFoundError
    return StaffRow(*row)


def periods_of_staff_number(session: Session, scope: Scope, row: StaffNumber) -> list[StaffRow]:
    """Return every period of the same carrier's staff number, the latest first, as far as in scope."""
    employer, place = aliased(Party), aliased(Party)
    query = (
        select(StaffNumber, employer, place)
        .join(employer, employer.id == StaffNumber.employer_id)
        .outerjoin(place, place.id == StaffNumber.placed_at_id)
        .where(StaffNumber.carrier_code == row.carrier_code, StaffNumber.staff_number == row.staff_number)
        .order_by(StaffNumber.valid_from.desc())
    )
    return [StaffRow(*found) for found in session.execute(_own_staff(query, scope))]


class ProposalRow(NamedTuple):
    """A proposal and whose register it is about."""

    proposal: RegisterProposal
    party: Party


def proposals_by_id(
    session: Session,
    scope: Scope,
    state: ProposalState | None,
    *,
    before: int | None = None,
    limit: int = AT_ONCE,
) -> list[ProposalRow]:
    """Return up to *limit* proposals older than *before*, the newest first."""
    query = (
        select(RegisterProposal, Party)
        .join(Party, Party.id == RegisterProposal.party_id)
        .order_by(RegisterProposal.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(RegisterProposal.state == state)
    if before is not None:
        query = query.where(RegisterProposal.id < before)
    return [ProposalRow(*row) for row in session.execute(scope.limit(query, party=RegisterProposal.party_id))]


def proposal_in_scope(session: Session, scope: Scope, proposal_id: int) -> ProposalRow:
    """Return the proposal.

    Raises:
        NotFoundError: if there is none, or it is about no own party.
    """
    proposal = found(session.get(RegisterProposal, proposal_id))
    scope.check(None, proposal.party_id)
    return ProposalRow(proposal, session.get_one(Party, proposal.party_id))
