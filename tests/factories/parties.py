"""Registers for tests: rows as the decisions leave them, with dull legal defaults."""

import datetime as dt
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.files.models import MediaType
from supervise.files.vault import StoredFile
from supervise.parties.compliance_file import enter
from supervise.parties.file_models import FileEntryKind, PartyFileEntry
from supervise.parties.models import (
    Capability,
    Carrier,
    NumberHolder,
    OrgUnit,
    OrgUnitPlacement,
    Party,
    PartyCapability,
    PartyKind,
    PartyRelation,
    PartyStatus,
    PhoneNumber,
    RelationRole,
    SalesChannel,
    SalesChannelKind,
    StaffNumber,
    UnitKind,
    UserScope,
)
from supervise.parties.periods import holds_at
from supervise.phone import classify

#: From when factory rows hold, far before any call of a test.
EVER_SINCE = dt.date(2020, 1, 1)
_serial = count(1)


def make_carrier(session: Session, *, code: str = "CU", name: str = "中国联通") -> Carrier:
    carrier = session.get(Carrier, code) or Carrier(code=code, name=name)
    session.add(carrier)
    session.flush()
    return carrier


def make_unit(
    session: Session,
    *,
    name: str = "城关分公司",
    code: str | None = None,
    kind: UnitKind = UnitKind.CITY,
    parent: OrgUnit | None = None,
    valid_from: dt.date = EVER_SINCE,
    cost_centre: str | None = None,
) -> OrgUnit:
    """A unit with its place in the tree and its own party."""
    code = code or f"U{next(_serial):05d}"
    unit = OrgUnit(code=code, name=name, kind=kind, cost_centre=cost_centre)
    session.add(unit)
    session.flush()
    parent_id = parent.id if parent is not None else None
    session.add(OrgUnitPlacement(unit_id=unit.id, parent_id=parent_id, valid_from=valid_from))
    session.add(Party(code=code, kind=PartyKind.ORG_UNIT, name=name, org_unit_id=unit.id))
    session.flush()
    return unit


def make_party(
    session: Session,
    *,
    name: str = "宏鼎信息科技有限公司",
    code: str | None = None,
    kind: PartyKind = PartyKind.AGENT,
    status: PartyStatus = PartyStatus.REGISTERED,
    credit_code: str | None = None,
    sponsor: OrgUnit | None = None,
    is_person: bool = False,
) -> Party:
    """An external party; *sponsor* is the branch that answers for it."""
    party = Party(
        code=code or f"P{next(_serial):05d}",
        kind=kind,
        name=name,
        status=status,
        credit_code=credit_code,
        is_person=is_person,
    )
    session.add(party)
    session.flush()
    if sponsor is not None:
        make_relation(session, child=party, parent=unit_party(session, sponsor))
    return party


def unit_party(session: Session, unit: OrgUnit) -> Party:
    """The party of a branch."""
    return session.query(Party).filter_by(org_unit_id=unit.id).one()


def make_relation(
    session: Session,
    *,
    child: Party,
    parent: Party,
    role: RelationRole = RelationRole.SPONSORED_BY,
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> PartyRelation:
    relation = PartyRelation(
        child_id=child.id, parent_id=parent.id, role=role, valid_from=valid_from, valid_to=valid_to
    )
    session.add(relation)
    session.flush()
    return relation


def make_number(session: Session, *, digits: str = "02988880000", is_prefix: bool = False) -> PhoneNumber:
    number = PhoneNumber(digits=digits, number_class=classify(digits), is_prefix=is_prefix)
    session.add(number)
    session.flush()
    return number


def make_holder(
    session: Session,
    *,
    party: Party,
    number: PhoneNumber | None = None,
    digits: str = "02988880000",
    held_from: dt.datetime | None = None,
    held_to: dt.datetime | None = None,
    source: str = "合同附件",
) -> NumberHolder:
    """A period in which the party holds a number; the number is entered if none is given."""
    holder = NumberHolder(
        number_id=(number or make_number(session, digits=digits)).id,
        party_id=party.id,
        held_from=held_from or clock.start_of_day(EVER_SINCE),
        held_to=held_to,
        source=source,
        recorded_at=clock.start_of_day(EVER_SINCE),
    )
    session.add(holder)
    session.flush()
    return holder


def make_sales_channel(
    session: Session,
    *,
    party: Party,
    channel_code: str = "QD01",
    kind: SalesChannelKind = SalesChannelKind.AGENT_OUTLET,
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> SalesChannel:
    row = SalesChannel(
        channel_code=channel_code,
        name=channel_code,
        kind=kind,
        party_id=party.id,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    session.add(row)
    session.flush()
    return row


def make_staff_number(
    session: Session,
    *,
    employer: Party,
    staff_number: str = "8001",
    carrier_code: str = "CU",
    placed_at: Party | None = None,
    alias: str | None = None,
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> StaffNumber:
    make_carrier(session, code=carrier_code)
    row = StaffNumber(
        carrier_code=carrier_code,
        staff_number=staff_number,
        alias=alias,
        employer_id=employer.id,
        placed_at_id=placed_at.id if placed_at is not None else None,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    session.add(row)
    session.flush()
    return row


def make_capability(
    session: Session,
    *,
    party: Party,
    capability: Capability = Capability.OUTBOUND_CALL,
    area_unit_id: int | None = None,
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> PartyCapability:
    row = PartyCapability(
        party_id=party.id,
        capability=capability,
        area_unit_id=area_unit_id,
        valid_from=valid_from,
        valid_to=valid_to,
        source="外呼授权书",
    )
    session.add(row)
    session.flush()
    return row


def make_channel(
    session: Session,
    *,
    party: Party,
    channel_code: str = "QD001",
    kind: SalesChannelKind = SalesChannelKind.AGENT_OUTLET,
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> SalesChannel:
    row = SalesChannel(
        channel_code=channel_code,
        name="合作厅",
        kind=kind,
        party_id=party.id,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    session.add(row)
    session.flush()
    return row


def give_scope(session: Session, *, user_id: int, unit: OrgUnit | None = None, party: Party | None = None) -> None:
    """Let a user see the rows of a unit, a party, or both."""
    if unit is not None:
        session.add(UserScope(user_id=user_id, org_unit_id=unit.id))
    if party is not None:
        session.add(UserScope(user_id=user_id, party_id=party.id))
    session.flush()


def staff_number_at(session: Session, carrier_code: str, staff_number: str, on: dt.date) -> StaffNumber | None:
    """Whose staff number it was on the day; None: nobody's."""
    return session.scalars(
        select(StaffNumber).where(
            StaffNumber.carrier_code == carrier_code,
            StaffNumber.staff_number == staff_number,
            holds_at(StaffNumber.valid_from, StaffNumber.valid_to, on),
        )
    ).one_or_none()


def make_file_entry(session: Session, *, party: Party) -> PartyFileEntry:
    """A training on file, with a scan of which no bytes lie in the vault."""
    return enter(
        session,
        party.id,
        FileEntryKind.TRAINING,
        happened_on=dt.date(2026, 3, 1),
        body="外呼规范培训",
        file=(StoredFile(f"{party.id:063x}f", "0" * 64, 1_000), "签到表.txt", MediaType.TEXT),
        actor_id=1,
    )
