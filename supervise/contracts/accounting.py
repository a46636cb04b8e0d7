"""What finance writes beside an amount: tax label and GL account by nature and contract direction, dated."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.contracts.models import AccountingLabel, ContractDirection
from supervise.errors import ConflictError
from supervise.labels import N_

#: Natures of amounts that parties owe (domain 2.3); those of credits are ``compensation.CreditNature``.
NATURE_DAMAGES = "damages"
NATURE_ASSESSMENT = "assessment"


class NoAccountingLabelError(ConflictError):
    """Finance has not said how to label this kind of amount on that day."""

    message = N_("No accounting label covers %(nature)s (%(direction)s) on %(day)s; finance must enter one")


class Label(NamedTuple):
    """How finance books an amount; we label, we never compute tax."""

    gl_account_code: str
    tax_label: str


class AccountingLabels:
    """All labels, read once for as many amounts as come; some ten rows."""

    def __init__(self, session: Session) -> None:
        self._rows: dict[tuple[str, ContractDirection], list[AccountingLabel]] = {}
        for row in session.scalars(select(AccountingLabel).order_by(AccountingLabel.valid_from)):
            self._rows.setdefault((row.nature, row.direction), []).append(row)

    def of(self, nature: str, direction: ContractDirection, on: dt.date) -> Label:
        """Return the label of an amount that arose *on* the day.

        Raises:
            NoAccountingLabelError: if none is in force.
        """
        for row in self._rows.get((str(nature), direction), []):
            if row.valid_from <= on and (row.valid_to is None or on < row.valid_to):
                return Label(row.gl_account_code, row.tax_label)
        raise NoAccountingLabelError(nature=str(nature), direction=direction.label, day=on.isoformat())


def accounting_label(session: Session, nature: str, direction: ContractDirection, on: dt.date) -> Label:
    """Return how an amount of *nature* that arose *on* the day is booked.

    Raises:
        NoAccountingLabelError: if no label is in force.
    """
    return AccountingLabels(session).of(nature, direction, on)
