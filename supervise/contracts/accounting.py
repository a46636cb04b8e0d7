"""What finance writes beside an amount: tax label and GL account by nature and contract direction, dated."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.contracts.models import AccountingLabel, ContractDirection
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_, LabelledEnum

#: Natures of amounts that parties owe (domain 2.3); those of credits are ``compensation.CreditNature``.
NATURE_DAMAGES = "damages"
NATURE_ASSESSMENT = "assessment"


class AmountNature(LabelledEnum):
    """What an amount is, to finance."""

    DAMAGES = NATURE_DAMAGES, N_("Contract damages")
    ASSESSMENT = NATURE_ASSESSMENT, N_("Internal assessment")
    COMPENSATION = "compensation", N_("Compensation")
    REWARD = "reward", N_("Reward")


#: Which directions an amount of each nature can have: damages follow the contract, the rest stays inside.
DIRECTIONS = {
    AmountNature.DAMAGES: (ContractDirection.WE_BUY, ContractDirection.WE_SELL),
    AmountNature.ASSESSMENT: (ContractDirection.INTERNAL,),
    AmountNature.COMPENSATION: (ContractDirection.INTERNAL,),
    AmountNature.REWARD: (ContractDirection.INTERNAL,),
}
_CODE_MAX = 40


class BackDatedLabelError(ConflictError):
    """Amounts may carry the label of those days already."""

    message = N_("A label was in force on %(day)s and may stand on amounts already; begin on a coming day")


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


def _checked(text: str) -> str:
    words = text.strip()
    if not words or len(words) > _CODE_MAX:
        raise InvalidInputError(N_("Enter a GL account and a tax label of at most %(most)d characters"), most=_CODE_MAX)
    return words


def add_label(
    session: Session,
    nature: AmountNature,
    direction: ContractDirection,
    *,
    gl_account_code: str,
    tax_label: str,
    valid_from: dt.date,
    actor_id: int,
) -> AccountingLabel:
    """Label amounts of *nature* that arise from *valid_from* on; the label before ends there.

    Days on which a label was in force count as used up to today: an amount may carry it. So a change begins on a
    coming day; only a gap in the past can be filled. A label that has not begun is replaced by one of the same day.

    Raises:
        InvalidInputError: without a code or a tax label, or for a direction that such amounts do not have.
        BackDatedLabelError: if *valid_from* lies in days that a label has covered.
    """
    code, tax = _checked(gl_account_code), _checked(tax_label)
    if direction not in DIRECTIONS[nature]:
        raise InvalidInputError(N_("Amounts of this nature do not have this direction"))
    take_turn(session, "accounting_label")
    others = session.scalars(
        select(AccountingLabel)
        .where(AccountingLabel.nature == nature.value, AccountingLabel.direction == direction)
        .order_by(AccountingLabel.valid_from)
    ).all()
    _refuse_back_dating(others, valid_from)
    label = next((other for other in others if other.valid_from == valid_from), None)
    before = [label.gl_account_code, label.tax_label] if label is not None else None
    if label is None:
        label = AccountingLabel(nature=nature.value, direction=direction, valid_from=valid_from)
        _fit_in(label, others)
        session.add(label)
    label.gl_account_code, label.tax_label = code, tax
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="accounting_label.added" if before is None else "accounting_label.replaced",
        subject="accounting_label",
        subject_id=label.id,
        changes={"nature": nature, "direction": direction, "valid_from": valid_from, "label": [before, [code, tax]]},
    )
    return label


def _fit_in(label: AccountingLabel, others: Sequence[AccountingLabel]) -> None:
    """Let *label* hold up to the next one, and the one that covers its first day end there."""
    label.valid_to = next((other.valid_from for other in others if other.valid_from > label.valid_from), None)
    for other in others:
        if other.valid_from < label.valid_from and (other.valid_to is None or other.valid_to > label.valid_from):
            other.valid_to = label.valid_from


def _refuse_back_dating(others: Sequence[AccountingLabel], valid_from: dt.date) -> None:
    """Refuse a start up to today on a day that a label covers; what follows in the gap is nobody's up to the next."""
    if valid_from > clock.today():
        return
    for other in others:
        covers_start = other.valid_from <= valid_from and (other.valid_to is None or other.valid_to > valid_from)
        if covers_start:
            raise BackDatedLabelError(day=valid_from.isoformat())
