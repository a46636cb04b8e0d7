"""The checklist of a contract: the clauses that the law asks for, and whether its paper has them (domain A57, F28).

It changes no price and nothing that was agreed: it says what is missing on paper.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among
from supervise.contracts.models import Contract
from supervise.contracts.paper_models import ClauseType, ContractClause
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_, current_locale

#: What the audit trail calls the clauses that were found, that are not on paper, and that nobody has read.
_STATES = {"clauses_present": True, "clauses_missing": False, "clauses_unread": None}


class ClauseLine(NamedTuple):
    """A clause that is asked for, and what was found on paper; None: nobody has looked yet."""

    clause: ClauseType
    found: ContractClause | None

    @property
    def is_missing(self) -> bool:
        """Whether the paper is known not to have it."""
        return self.found is not None and not self.found.is_present


class ClauseCheck(NamedTuple):
    """What somebody read on paper of one clause; None: nobody has, a reading that was noted is taken back."""

    code: str
    is_present: bool | None
    #: Where the paper says it, or what was agreed instead.
    reference: str


def checklist_of(session: Session, contract: Contract) -> list[ClauseLine]:
    """Return the clauses asked of *contract* today, or on its last day once it has ended, as they were loaded."""
    last = contract.ends_on - dt.timedelta(days=1) if contract.ends_on is not None else clock.today()
    on = min(clock.today(), last)
    query = (
        select(ClauseType, ContractClause)
        .outerjoin(
            ContractClause,
            and_(ContractClause.clause_code == ClauseType.code, ContractClause.contract_id == contract.id),
        )
        .where(_asked_on(on))
        .order_by(ClauseType.id)
    )
    return [ClauseLine(*row) for row in session.execute(query)]


def check_clauses(session: Session, contract_id: int, checks: Sequence[ClauseCheck], *, actor_id: int) -> None:
    """Note what the paper of a contract with a party says of these clauses; what was noted before gives way.

    Raises:
        NotFoundError: if there is no such contract with a party, or no such clause.
        InvalidInputError: if a clause that is there has no reference.
    """
    # The row lock lets two people check one after the other.
    contract = session.get(Contract, contract_id, with_for_update={"key_share": True})
    if contract is None or contract.party_id is None:
        raise NotFoundError
    names = _names(session)
    if not {check.code for check in checks} <= names.keys():
        raise NotFoundError
    if any(check.is_present and not check.reference.strip() for check in checks):  # also a CHECK of the table
        raise InvalidInputError(N_("Say where the paper has the clause"))
    known = {
        row.clause_code: row
        for row in session.scalars(select(ContractClause).where(ContractClause.contract_id == contract_id))
    }
    changed = [check for check in checks if _note(session, contract_id, known.get(check.code), check, actor_id)]
    if not changed:
        return
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="contract.clauses_checked",
        subject="contract",
        subject_id=contract_id,
        changes={
            name: ", ".join(names[check.code] for check in changed if check.is_present is state)
            for name, state in _STATES.items()
            if any(check.is_present is state for check in changed)
        },
    )


def _names(session: Session) -> dict[str, str]:
    """Return what each clause is called in the reader's language, by code; of several periods the latest."""
    name = ClauseType.name_en if current_locale() == "en" else ClauseType.name_zh
    return dict(iter(session.execute(select(ClauseType.code, name).order_by(ClauseType.valid_from))))


def _note(session: Session, contract_id: int, row: ContractClause | None, check: ClauseCheck, actor_id: int) -> bool:
    """Note *check* over what *row* says, and return whether anything is different now."""
    if check.is_present is None:
        if row is not None:
            session.delete(row)
        return row is not None
    row = row or ContractClause(contract_id=contract_id, clause_code=check.code)
    said = (check.is_present, check.reference.strip() or None)
    if (row.is_present, row.reference) == said:
        return False
    row.is_present, row.reference = said
    row.checked_by, row.checked_at = actor_id, clock.now()
    session.add(row)
    return True


def missing_clauses(session: Session, contract_ids: Collection[int]) -> dict[int, int]:
    """Return how many clauses asked for today each contract is known to lack; contracts that lack none are left out."""
    query = (
        select(ContractClause.contract_id, func.count())
        .join(ClauseType, ClauseType.code == ContractClause.clause_code)
        .where(
            among(session, ContractClause.contract_id, list(contract_ids)),
            ContractClause.is_present.is_(False),
            _asked_on(clock.today()),
        )
        .group_by(ContractClause.contract_id)
    )
    return dict(iter(session.execute(query)))


def _asked_on(day: dt.date) -> ColumnElement[bool]:
    return and_(ClauseType.valid_from <= day, or_(ClauseType.valid_to.is_(None), ClauseType.valid_to > day))
