"""An audit event in words: what happened to what, and what it changed."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flask import Flask, current_app, url_for

from supervise.access.identity import current_user
from supervise.access.policy import policy_of
from supervise.access.roles import Role
from supervise.attribution.models import EvidenceKind, Method, Verdict
from supervise.attribution.proof_models import AttachmentKind, CountedPer, VerificationKind, VerificationOutcome
from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watching.kinds import Irregularity
from supervise.complaints.dispute_models import Mediator
from supervise.complaints.models import Channel, DayType, TicketState
from supervise.complaints.originals import Original
from supervise.contracts.models import ContractDirection, ContractScope, SettlementOrder
from supervise.donotcall.models import PermissionScope
from supervise.evidence.models import EvidenceForm
from supervise.files.models import ImportKind
from supervise.labels import LabelledEnum, _, translate
from supervise.money import format_yuan
from supervise.parties.models import (
    Capability,
    OfficialUse,
    PartyKind,
    PartyStatus,
    RelationRole,
    SalesChannelKind,
    UnitKind,
)
from supervise.parties.sanction_models import SanctionKind, SanctionTrigger
from supervise.penalties.models import WindowStart
from supervise.penalties.pricing import FigureKind
from supervise.phone import NumberClass, NumberingPlan
from supervise.views.audit_actions import ACTIONS
from supervise.views.audit_vocabulary import FIELDS, SUBJECTS
from supervise.views.filters import china_time

#: The enums whose values a field of that name may hold; the first that knows the value tells its words.
_VALUES: Mapping[str, tuple[type[LabelledEnum], ...]] = {
    "appeal_day_type": (DayType,),
    "capability": (Capability,),
    "channel": (Channel,),
    "channel_kind": (SalesChannelKind,),
    "channel_kinds": (SalesChannelKind,),
    "class": (NumberClass,),
    "counted_per": (CountedPer,),
    "direction": (ContractDirection,),
    "evidence": (EvidenceForm,),
    "figure": (FigureKind,),
    "irregularity": (Irregularity,),
    "kind": (UnitKind, PartyKind, EvidenceKind, ImportKind, VerificationKind, AttachmentKind),
    "mediator": (Mediator,),
    "method": (Method,),
    "outcome": (VerificationOutcome,),
    "plan": (NumberingPlan,),
    "role": (Role, RelationRole),
    "sanction": (SanctionKind,),
    "scope": (ContractScope, PermissionScope),
    "settlement_order": (SettlementOrder,),
    "state": (TicketState,),
    "status": (PartyStatus,),
    "threshold": (WatchKind,),
    "trigger": (SanctionTrigger,),
    "use": (OfficialUse,),
    "delivery": (WindowStart,),
    "verdict": (Verdict,),
    "verified_by": (VerificationKind,),
    "what": (Original,),
}
#: The page of the record that a field names, and what its address calls the id.
_PAGES = {
    "credit_ids": ("credits.detail", "credit_id"),
    "deputy_id": ("users.detail", "user_id"),
    "employer_id": ("parties.detail", "party_id"),
    "entry_id": ("ledger.entry", "entry_id"),
    "incident_id": ("incidents.detail", "incident_id"),
    "incident_ids": ("incidents.detail", "incident_id"),
    "into_id": ("incidents.detail", "incident_id"),
    "party_id": ("parties.detail", "party_id"),
    "number_id": ("numbers.detail", "number_id"),
    "parties": ("parties.detail", "party_id"),
    "penalty_id": ("penalties.detail", "penalty_id"),
    "penalty_ids": ("penalties.detail", "penalty_id"),
    "placed_at_id": ("org_units.detail", "unit_id"),
    "counterparty_unit_id": ("org_units.detail", "unit_id"),
    "ticket_id": ("tickets.detail", "ticket_id"),
    "undertaking_id": ("undertakings.detail", "undertaking_id"),
    "unit_id": ("org_units.detail", "unit_id"),
    "units": ("org_units.detail", "unit_id"),
}
#: Of a bulk act, so many ids are shown; the export has them all.
_IDS_SHOWN = 12


class Word(NamedTuple):
    """A value as people read it, and the page of the record that it names."""

    text: str
    href: str | None = None


class Change(NamedTuple):
    """One field of an event: what it was (None where only the new value was kept) and what it became."""

    label: str
    before: list[Word] | None
    after: list[Word]
    #: How many values were left out for want of room.
    more: int = 0


def action_words(action: str) -> str:
    """Return what happened: ``Penalties approved``. A code without words is shown as it is."""
    if action in ACTIONS:
        return translate(ACTIONS[action])
    family, _dot, state = action.partition(".")
    if family == "ticket" and state in set(TicketState):
        return _("Ticket: %(state)s", state=TicketState(state).label)
    return action


def subject_words(subject: str) -> str:
    """Return the kind of record that an event is about."""
    return translate(SUBJECTS[subject]) if subject in SUBJECTS else subject


def field_words(field: str) -> str:
    """Return a field's name in words."""
    return translate(FIELDS[field]) if field in FIELDS else field


def changes_in_words(changes: Mapping[str, Any] | None) -> list[Change]:
    """Return the changes of an event in the order they were written."""
    return [_change(field, value) for field, value in (changes or {}).items()]


def _change(field: str, value: Any) -> Change:
    label = field_words(field)
    if _is_before_and_after(field, value):
        before, after = value
        return Change(label, list(_words(field, before)), list(_words(field, after)))
    words = list(_words(field, value))
    return Change(label, None, words[:_IDS_SHOWN], more=max(len(words) - _IDS_SHOWN, 0))


def _is_before_and_after(field: str, value: Any) -> bool:
    # ``audit.record.changed`` writes [old, new]; a list of ids of a bulk act has a name in the plural.
    return isinstance(value, list) and len(value) == len(("old", "new")) and not field.endswith("_ids")


def _words(field: str, value: Any) -> Iterator[Word]:
    if isinstance(value, Mapping):
        yield from (Word(f"{name}: {_text(field, inner)}") for name, inner in value.items())
    elif isinstance(value, list):
        yield from (Word(_text(field, inner), _href(field, inner)) for inner in value)
    else:
        yield Word(_text(field, value), _href(field, value))


def _text(field: str, value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if field.endswith("_fen") and isinstance(value, int):
        return format_yuan(value)
    for enum in _VALUES.get(field, ()):
        if value in set(enum):
            return enum(value).label
    return _moment(value) if isinstance(value, str) else str(value)


def _moment(text: str) -> str:
    """Return a stored moment by China's clock; any other text as it is."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo is None else china_time(moment)


def _href(field: str, value: Any) -> str | None:
    if field not in _PAGES or not isinstance(value, int):
        return None
    endpoint, argument = _PAGES[field]
    policy = policy_of(current_app, endpoint)
    if policy is None or not any(current_user().can(one) for one in policy.permissions):
        return None
    place: dict[str, Any] = {argument: value}
    return url_for(endpoint, **place)


def register_audit_words(app: Flask) -> None:
    """Give templates the trail's words."""
    app.jinja_env.filters.update(
        action_words=action_words, subject_words=subject_words, changes_in_words=changes_in_words
    )
