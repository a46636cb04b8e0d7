"""A party with which cooperation ended has contracts that end: drafted in one click, put into force by another person.

Source: docs/rules.md, S-6a. The end is an amendment as any other, so that the contract says on what it rests.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.amendments import AmendedTerms, draft_amendment
from supervise.contracts.models import AmendmentState, Contract, ContractAmendment, ContractState
from supervise.errors import ConflictError
from supervise.labels import N_, _
from supervise.parties.locks import load
from supervise.parties.models import Party
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState

#: What ends the cooperation, and so its contracts.
ENDING = (SanctionKind.TERMINATION, SanctionKind.BAR)


class NothingToEndError(ConflictError):
    """No contract of the party runs on, or every end is drafted."""

    message = N_("No contract of the party is left to be ended")


class NotEndingError(ConflictError):
    """The sanction does not end a cooperation, or does not hold."""

    message = N_("Only a termination or a bar that was approved and not lifted ends contracts")


class RunningContract(NamedTuple):
    """A contract that outlasts the cooperation."""

    contract: Contract
    #: A draft that would end it, if there is one.
    draft: ContractAmendment | None
    #: It begins after the cooperation ended: there is no day on which it could end.
    begins_later: bool


def first_day_without(sanction: Sanction) -> dt.date:
    """Return the first day without a contract: that of the sanction, tomorrow at the earliest."""
    return max(sanction.from_on, clock.today() + dt.timedelta(days=1))


def running_contracts(session: Session, sanction: Sanction) -> list[RunningContract]:
    """Return the contracts in force of the party and of entries merged with it that outlast it, by number."""
    if not _ends(sanction):
        return []
    ends_on = first_day_without(sanction)
    lives_on = select(Party.merged_into_id).where(Party.id == sanction.party_id).scalar_subquery()
    same = select(Party.id).where(
        or_(Party.id == sanction.party_id, Party.merged_into_id == sanction.party_id, Party.id == lives_on)
    )
    contracts = session.scalars(
        select(Contract)
        .where(
            Contract.party_id.in_(same),
            Contract.state == ContractState.ACTIVE,
            or_(Contract.ends_on.is_(None), Contract.ends_on > ends_on),
        )
        .order_by(Contract.number)
    ).all()
    drafts = _drafted_ends(session, [contract.id for contract in contracts])
    return [RunningContract(one, drafts.get(one.id), one.starts_on >= ends_on) for one in contracts]


def propose_contract_ends(session: Session, sanction_id: int, *, actor_id: int) -> list[ContractAmendment]:
    """Draft an amendment that ends each running contract of the sanctioned party; a second person decides on each.

    Raises:
        NotFoundError: if there is no such sanction.
        NotEndingError: if it is no termination or bar, or does not hold.
        NothingToEndError: if none is left.
    """
    sanction = load(session, Sanction, sanction_id)
    if not _ends(sanction):
        raise NotEndingError
    ends_on = first_day_without(sanction)
    signed_on = min(clock.china_day(sanction.decided_at or clock.now()), ends_on)
    left = [one for one in running_contracts(session, sanction) if one.draft is None and not one.begins_later]
    if not left:
        raise NothingToEndError
    return [
        draft_amendment(
            session,
            one.contract.id,
            AmendedTerms(ends_on=ends_on),
            number=_number(session, one.contract.id, sanction),
            signed_on=signed_on,
            effective_from=ends_on,
            reason=f"{sanction.kind.label}: {sanction.reason}",
            actor_id=actor_id,
        )
        for one in left
    ]


def _ends(sanction: Sanction) -> bool:
    return sanction.kind in ENDING and sanction.state is SanctionState.APPROVED and sanction.party_id is not None


def _drafted_ends(session: Session, contract_ids: Sequence[int]) -> dict[int, ContractAmendment]:
    query = select(ContractAmendment).where(
        ContractAmendment.contract_id.in_(contract_ids),
        ContractAmendment.state == AmendmentState.DRAFT,
        ContractAmendment.ends_on.is_not(None),
    )
    return {row.contract_id: row for row in session.scalars(query.order_by(ContractAmendment.id))}


def _number(session: Session, contract_id: int, sanction: Sanction) -> str:
    """Return a number that no amendment of the contract has: a withdrawn draft keeps its own."""
    number = _("Sanction %(id)d", id=sanction.id)
    taken = set(session.scalars(select(ContractAmendment.number).where(ContractAmendment.contract_id == contract_id)))
    return next(one for one in (number, *(f"{number}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
