"""From what finance types to the row that it names."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import Field

from supervise.contracts.models import Contract
from supervise.labels import _
from supervise.parties.models import Party
from supervise.penalties.models import Penalty


def party_id_of(session: Session, field: Field) -> int | None:
    """Return the party whose code was typed; None, with the reason at the field, if there is none."""
    found = session.scalar(select(Party.id).where(Party.code == field.data.strip()))
    return _noted(field, found, _("No party has this code"))


def contract_id_of(session: Session, field: Field) -> int | None:
    """Return the contract whose number was typed; None, with the reason at the field, if there is none."""
    found = session.scalar(select(Contract.id).where(Contract.number == field.data.strip()))
    return _noted(field, found, _("No contract has this number"))


def penalty_id_of(session: Session, field: Field) -> int | None:
    """Return the penalty whose number was typed; None, with the reason at the field, if there is none."""
    found = session.scalar(select(Penalty.id).where(Penalty.reference == field.data.strip()))
    return _noted(field, found, _("No penalty has this number"))


def _noted(field: Field, found: int | None, words: str) -> int | None:
    if found is None:
        field.errors = [*field.errors, words]
    return found
