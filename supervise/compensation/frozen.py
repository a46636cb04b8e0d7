"""The rows of a credit batch as finance receives them, put into words once, when the batch is frozen."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.compensation.models import CompensationPolicy, Credit, CreditKind, Undertaking
from supervise.complaints.models import Incident, Precision, Subscriber, Ticket
from supervise.labels import _, use_locale
from supervise.ledger.sets import in_set
from supervise.parties.models import OrgUnit, Party


def frozen_rows(session: Session, batch_number: str, credit_ids: Sequence[int], locale: str) -> list[dict[str, Any]]:
    """Return a row for each credit, in the order of their ids, with texts in *locale* and amounts in fen.

    The subscriber's number is not in it: the workbook decrypts it when it is built.
    """
    with use_locale(locale):
        return [
            _frozen(batch_number, line, row)
            for line, row in enumerate(session.execute(_rows(session, credit_ids)), start=1)
        ]


def _rows(session: Session, credit_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Credit,
            Subscriber.account_ref,
            OrgUnit.name.label("region"),
            Party.name.label("party"),
            Ticket.reference.label("ticket"),
            Incident.occurred_at,
            Incident.precision,
            Undertaking.reference.label("undertaking"),
            CompensationPolicy.code.label("policy"),
            User.display_name.label("approver"),
        )
        .join(Subscriber, Subscriber.id == Credit.subscriber_id)
        .outerjoin(OrgUnit, OrgUnit.id == Credit.unit_id)
        .outerjoin(Party, Party.id == Credit.party_id)
        .outerjoin(Ticket, Ticket.id == Credit.ticket_id)
        .outerjoin(Incident, Incident.id == Credit.incident_id)
        .outerjoin(Undertaking, Undertaking.id == Credit.undertaking_id)
        .outerjoin(CompensationPolicy, CompensationPolicy.id == Credit.policy_id)
        .outerjoin(User, User.id == Credit.approver_id)
        .where(in_set(session.connection(), Credit.id, credit_ids))
        .order_by(Credit.id)
    )


def _frozen(batch_number: str, line: int, row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    credit: Credit = row.Credit
    return {
        "batch": batch_number,
        "line": line,
        "credit": credit.reference,
        "account_ref": row.account_ref,
        "region": row.region or "",
        "nature": credit.nature.label,
        "kind": credit.kind.label,
        "units": 1,
        "unit_fen": credit.amount_fen,
        "amount_fen": credit.amount_fen,
        "party": row.party or "",
        "recovery": _("From the responsible party, by contract") if row.party else _("Borne by the carrier"),
        "gl_account": credit.gl_account_code,
        "tax_label": credit.tax_label,
        "cost_centre": credit.cost_centre or "",
        "ticket": row.ticket or "",
        "occurred": _moment(row.occurred_at, row.precision) if credit.kind is CreditKind.PER_CALL else "",
        "promise": row.undertaking or row.policy or "",
        "approver": row.approver or "",
        "approved": _moment(credit.approved_at, Precision.SECOND),
        "note": _("Sent again after %(count)s rejection(s)", count=credit.rejections) if credit.rejections else "",
    }


def _moment(at: dt.datetime | None, precision: Precision) -> str:
    """Return China time as text; the cell stays text, so that no spreadsheet shifts it."""
    if at is None:
        return ""
    china = at.astimezone(clock.CHINA)
    formats = {Precision.DAY: "%Y-%m-%d", Precision.MINUTE: "%Y-%m-%d %H:%M", Precision.SECOND: "%Y-%m-%d %H:%M:%S"}
    return china.strftime(formats[precision])
