"""Who can answer for a call: org units, parties, their relations, staff and numbers, all dated.

Periods are half-open, an open end is NULL. Overlaps are refused by the database: exclusion constraints on
PostgreSQL, triggers on SQLite (migrations 0004, 0023), and by the decisions of this subject in words.
"""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.phone import NumberClass


class UnitKind(LabelledEnum):
    """Level of the carrier's own tree."""

    HEADQUARTERS = "headquarters", N_("Headquarters")
    PROVINCE = "province", N_("Province")
    CITY = "city", N_("City branch")
    COUNTY = "county", N_("County")
    HALL = "hall", N_("Business hall")
    TEAM = "team", N_("Team")


class PartyKind(LabelledEnum):
    """Who can answer for an incident (domain F20)."""

    ORG_UNIT = "org_unit", N_("Branch")
    AGENT = "agent", N_("Agent")
    MARKETING_PARTNER = "marketing_partner", N_("Marketing partner")
    OUTSOURCER = "outsourcer", N_("Outsourcer")
    PORT_HOLDER = "port_holder", N_("SMS port holder")
    LINE_CUSTOMER = "line_customer", N_("Line customer")
    EMPLOYEE_CALLER = "employee_caller", N_("Employee caller")


class PartyStatus(LabelledEnum):
    """Standing in the register; a claimed party was named by somebody, not yet verified (domain A28)."""

    CLAIMED = "claimed", N_("Claimed, not registered")
    REGISTERED = "registered", N_("Registered")
    SUSPENDED = "suspended", N_("Suspended")
    TERMINATED = "terminated", N_("Terminated")


class RelationRole(LabelledEnum):
    """What ties a party to the one above it in the chain."""

    CONTRACTED_BY = "contracted_by", N_("Contracted by")
    STAFFED_TO = "staffed_to", N_("Staffed to")
    SUB_AGENT_OF = "sub_agent_of", N_("Sub-agent of")
    SPONSORED_BY = "sponsored_by", N_("Sponsored by branch")


class OfficialUse(LabelledEnum):
    """What a carrier's official number is for (domain C1, C2)."""

    OUTBOUND = "outbound", N_("Outbound marketing")
    HOTLINE = "hotline", N_("Service hotline")


class Capability(LabelledEnum):
    """What a party may do for the carrier; without it, doing so is a suspected offence (domain F26, A45)."""

    OUTBOUND_CALL = "outbound_call", N_("Outbound calls")
    SMS = "sms", N_("Marketing messages")
    SELL_PLAN = "sell_plan", N_("Selling plans")


class SalesChannelKind(LabelledEnum):
    """How a sales channel meets the subscriber; the plan catalogue allows plans by it (domain A44, F55)."""

    HALL = "hall", N_("Own business hall")
    AGENT_OUTLET = "agent_outlet", N_("Agent outlet")
    OUTBOUND = "outbound", N_("Outbound calling")
    ONLINE = "online", N_("Online")
    DOOR_TO_DOOR = "door_to_door", N_("Door to door")


class ProposalState(LabelledEnum):
    """Where a proposed register change stands."""

    OPEN = "open", N_("Waiting for a decision")
    ACCEPTED = "accepted", N_("Accepted")
    REJECTED = "rejected", N_("Rejected")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class Carrier(Base):
    """A telecom carrier; one installation may know several (domain C14)."""

    __tablename__ = "carrier"

    #: ``CT``, ``CM``, ``CU``.
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class OfficialNumber(Base):
    """A number that a carrier declared official for a use, from a day on."""

    __tablename__ = "official_number"
    __table_args__ = (CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    carrier_code: Mapped[str] = mapped_column(ForeignKey("carrier.code"))
    digits: Mapped[str] = mapped_column(index=True)
    use: Mapped[OfficialUse]
    legal_basis: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class OrgUnit(Base):
    """A unit of the carrier itself; where it hangs in the tree is dated in ``OrgUnitPlacement``."""

    __tablename__ = "org_unit"
    __table_args__ = (
        CheckConstraint("(merged_into_id IS NULL) = (merged_on IS NULL)", name="merge_complete"),
        CheckConstraint("merged_into_id <> id", name="not_merged_into_itself"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(index=True)
    kind: Mapped[UnitKind]
    #: Cost centre that finance books the unit's assessments and credits on.
    cost_centre: Mapped[str | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    merged_on: Mapped[dt.date | None]
    #: Last day is the day before; NULL while the unit exists.
    closed_on: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class OrgUnitPlacement(Base):
    """The parent of a unit in a period; one at a time, no cycles."""

    __tablename__ = "org_unit_placement"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint("parent_id <> unit_id", name="not_its_own_parent"),
        Index(None, "parent_id", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    #: NULL at the root.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class Party(Base):
    """A responsible party; every org unit has exactly one, its own code of the ledger's dimension is ``id``."""

    __tablename__ = "party"
    __table_args__ = (
        CheckConstraint("(kind = 'org_unit') = (org_unit_id IS NOT NULL)", name="unit_party_has_unit"),
        CheckConstraint("merged_into_id <> id", name="not_merged_into_itself"),
        Index(None, "kind", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[PartyKind]
    name: Mapped[str] = mapped_column(index=True)
    status: Mapped[PartyStatus] = mapped_column(default=PartyStatus.REGISTERED)
    #: Unified social credit code, 18 characters, check digit verified (GB 32100-2015).
    credit_code: Mapped[str | None] = mapped_column(unique=True)
    org_unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), unique=True)
    #: A natural person (domain B18); names of persons are shown to staff only.
    is_person: Mapped[bool] = mapped_column(default=False)
    #: How the party itself is reached: its number is business data, and stays as it is typed.
    contact: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(MaskedText)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)


class PartyAlias(Base):
    """Another name under which callers or workers use for a party (domain A28, A29)."""

    __tablename__ = "party_alias"
    __table_args__ = (UniqueConstraint("party_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    name: Mapped[str] = mapped_column(index=True)
    source: Mapped[str] = mapped_column(MaskedText)


class PartyRelation(Base):
    """A link of the chain: *child* works for, or is sponsored by, *parent* in a period; no cycles, no overlaps."""

    __tablename__ = "party_relation"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint("parent_id <> child_id", name="not_its_own_parent"),
        Index(None, "child_id", "role", "valid_from"),
        Index(None, "parent_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    parent_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    role: Mapped[RelationRole]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class PhoneNumber(Base):
    """A number, or a 106 prefix, that a party may hold; business data, kept in plain digits."""

    __tablename__ = "phone_number"

    id: Mapped[int] = mapped_column(primary_key=True)
    digits: Mapped[str] = mapped_column(unique=True)
    number_class: Mapped[NumberClass]
    #: A 106 port holds for every longer number that begins with it; the longest prefix wins.
    is_prefix: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str | None] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)


class NumberHolder(Base):
    """The party that held a number in ``[held_from, held_to)``; never two at a time."""

    __tablename__ = "number_holder"
    __table_args__ = (
        CheckConstraint("held_to IS NULL OR held_to > held_from", name="period_order"),
        Index(None, "number_id", "held_from"),
        Index(None, "party_id", "held_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number_id: Mapped[int] = mapped_column(ForeignKey("phone_number.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    held_from: Mapped[dt.datetime]
    held_to: Mapped[dt.datetime | None]
    #: Where we know it from: contract, declaration of the branch, import batch.
    source: Mapped[str] = mapped_column(MaskedText)
    recorded_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)


class StaffNumber(Base):
    """A staff number (工号) in a period: who employs the worker, where they sit; reused only after a closed period."""

    __tablename__ = "staff_number"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        Index(None, "carrier_code", "staff_number", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    carrier_code: Mapped[str] = mapped_column(ForeignKey("carrier.code"))
    staff_number: Mapped[str]
    #: What the worker calls themselves on the phone; never a legal name.
    alias: Mapped[str | None]
    employer_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    #: The party (often a branch) at whose desk the worker sits.
    placed_at_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class PartyCapability(Base):
    """What a party may do in a period, in an area or everywhere; one row at a time for each of the three."""

    __tablename__ = "party_capability"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        Index(None, "party_id", "capability", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    capability: Mapped[Capability]
    #: The unit in whose region it holds, with all below it; NULL: everywhere.
    area_unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    #: The contract, authorisation or notice that says so.
    source: Mapped[str] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)


class SalesChannel(Base):
    """The party that sold under a channel code (渠道编码) in a period; never two at a time."""

    __tablename__ = "sales_channel"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        Index(None, "channel_code", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: As orders name it.
    channel_code: Mapped[str]
    name: Mapped[str]
    kind: Mapped[SalesChannelKind]
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class UserScope(Base):
    """The unit or the party whose rows a user sees; a unit means its present subtree and what merged into it."""

    __tablename__ = "user_scope"
    __table_args__ = (
        CheckConstraint("(org_unit_id IS NULL) <> (party_id IS NULL)", name="one_of_unit_or_party"),
        UniqueConstraint("user_id", "org_unit_id"),
        UniqueConstraint("user_id", "party_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    org_unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)


class RegisterProposal(Base):
    """A change to a number or a staff number that a branch or partner proposes and a triager accepts."""

    __tablename__ = "register_proposal"
    __table_args__ = (
        CheckConstraint("(state IN ('accepted', 'rejected')) = (decided_by IS NOT NULL)", name="decided_by_set"),
        CheckConstraint("decided_by <> proposed_by", name="two_people"),
        CheckConstraint("register IN ('numbers', 'staff')", name="known_register"),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: ``numbers`` or ``staff``.
    register: Mapped[str]
    #: What to do and with what: ``{"action": "hold", "digits": ..., "held_from": ...}``; validated at acceptance.
    change: Mapped[dict[str, Any]]
    #: The party whose register it is; rows are listed within scope by it.
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[ProposalState] = mapped_column(default=ProposalState.OPEN)
    proposed_by: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    decision_note: Mapped[str | None] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)
