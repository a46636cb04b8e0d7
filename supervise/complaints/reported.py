"""What a form or a row of a file reports, checked and normalised, before it becomes ticket and incidents."""

import datetime as dt
from dataclasses import dataclass

from supervise.complaints.models import CallerKind, Channel, DemandHead, IncidentKind, Precision
from supervise.phone import NumberClass, NumberingPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedCall:
    """One call or message as the complainant tells it."""

    kind: IncidentKind
    occurred_at: dt.datetime
    precision: Precision
    occurred_text: str | None = None
    #: Normalised digits; None if the report names no caller.
    caller_number: str | None = None
    caller_class: NumberClass | None = None
    numbering_plan: NumberingPlan = NumberingPlan.CHINA
    answered: bool | None = None
    seconds: int | None = None
    caller_kind: CallerKind = CallerKind.UNKNOWN
    subject: str | None = None
    #: The message as received, numbers and all.
    sms_text: str | None = None
    opt_out_sent: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedDemand:
    """What the complainant claims: *units* at *unit_fen* each (F13)."""

    head: DemandHead
    units: int
    unit_fen: int
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedRefusal:
    """The subscriber said no: when, how, to whom (None: to whoever calls for the carrier)."""

    said_at: dt.datetime
    how: str
    party_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedTicket:
    """One complaint as one channel delivered it."""

    channel: Channel
    received_at: dt.datetime
    received_precision: Precision = Precision.SECOND
    content: str
    #: Normalised digits of who was called; None for an anonymous report.
    number: str | None = None
    external_ref: str | None = None
    row_key: str | None = None
    batch_id: int | None = None
    unit_id: int | None = None
    region_text: str | None = None
    complainant: str | None = None
    claimed_party: str | None = None
    claimed_calls: int | None = None
    sensitive: bool = False
    stated_due_on: dt.date | None = None
    calls: tuple[ReportedCall, ...] = ()
    demands: tuple[ReportedDemand, ...] = ()
    refusal: ReportedRefusal | None = None
