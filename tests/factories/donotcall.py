"""What subscribers said, as the decisions record it."""

import datetime as dt

from sqlalchemy.orm import Session

from supervise.complaints.models import SubscriberNumber
from supervise.donotcall.models import PermissionEvent, PermissionScope, SaidBy
from supervise.donotcall.record import record_consent, record_refusal
from supervise.parties.models import Party
from tests.factories.complaints import CALLED_AT, make_number

RECORDER = 7


def make_refusal(
    session: Session,
    *,
    number: SubscriberNumber | None = None,
    party: Party | None = None,
    scope: PermissionScope = PermissionScope.MARKETING_CALLS,
    said_at: dt.datetime = CALLED_AT,
    channel: str = SaidBy.REGULATOR.value,
    ticket_id: int | None = None,
    actor_id: int = RECORDER,
) -> PermissionEvent:
    """A no; to everyone who calls for the carrier unless a party is given."""
    return record_refusal(
        session,
        number_id=(number or make_number(session)).id,
        scope=scope,
        said_at=said_at,
        channel=channel,
        source="12321-77",
        actor_id=actor_id,
        party_id=party.id if party else None,
        ticket_id=ticket_id,
    )


def make_consent(
    session: Session,
    *,
    number: SubscriberNumber | None = None,
    party: Party | None = None,
    scope: PermissionScope = PermissionScope.MARKETING_CALLS,
    said_at: dt.datetime = CALLED_AT,
    purpose: str = "5G 套餐升级",
) -> PermissionEvent:
    """A yes; to everyone who calls for the carrier unless a party is given."""
    return record_consent(
        session,
        number_id=(number or make_number(session)).id,
        scope=scope,
        purpose=purpose,
        said_at=said_at,
        channel=SaidBy.APP.value,
        source="授权书 12",
        actor_id=RECORDER,
        party_id=party.id if party else None,
    )
