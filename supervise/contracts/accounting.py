"""What finance writes beside an amount: GL account and tax label by nature, direction and day."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.contracts.models import AccountingLabel, ContractDirection
from supervise.errors import ConflictError
from supervise.labels import N_


class NoAccountingLabelError(ConflictError):
    """Finance has not said how to book this; the amount waits (F91)."""

    message = N_("No accounting label is set for %(nature)s, %(direction)s, on %(day)s: ask finance")


class Label(NamedTuple):
    """The GL account and the tax label of one amount."""

    gl_account_code: str
    tax_label: str


class AccountingLabels:
    """The dated map, read once for a batch of amounts."""

    def __init__(self, session: Session) -> None:
        self._rows = session.scalars(select(AccountingLabel).order_by(AccountingLabel.valid_from.desc())).all()

    def of(self, nature: str, direction: ContractDirection, day: dt.date) -> Label:
        """Return the label in force on *day*.

        Raises:
            NoAccountingLabelError: if finance set none for that day.
        """
        for row in self._rows:
            in_force = row.valid_from <= day and (row.valid_to is None or day < row.valid_to)
            if row.nature == nature and row.direction is direction and in_force:
                return Label(row.gl_account_code, row.tax_label)
        raise NoAccountingLabelError(nature=str(nature), direction=direction.label, day=day.isoformat())
