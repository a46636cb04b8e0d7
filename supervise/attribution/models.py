"""Who answers for an incident, on which evidence, and which offences are proven.

Verdicts are rows that supersede each other, never change; ``IncidentVerdict`` points to the one in force.
"""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.attribution.grades import Grade
from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class Verdict(LabelledEnum):
    """What a person decided on an incident (domain 6.4)."""

    ATTRIBUTED = "attributed", N_("Attributed")
    OFFICIAL_NUMBER = "official_number", N_("Official number")
    SPOOFED = "spoofed", N_("Spoofed number")
    PRIVATE_DISPUTE = "private_dispute", N_("Private dispute")
    OTHER_NETWORK = "other_network", N_("Other network")
    INSUFFICIENT = "insufficient", N_("Insufficient evidence")


#: Verdicts that name a party which answers; only these can carry a finding with an amount.
CHARGEABLE_VERDICTS = (Verdict.ATTRIBUTED, Verdict.OFFICIAL_NUMBER)


class Method(LabelledEnum):
    """How the party was found."""

    RECORD = "record", N_("Record of the call, SMS or order")
    NUMBER_HOLDER = "number_holder", N_("Holder of the number at the moment")
    OFFICIAL_RULE = "official_rule", N_("Official number rule")
    OVERRIDE = "override", N_("Decided against the suggestion")
    PERSON = "person", N_("Decided by a person")


class AttributionState(LabelledEnum):
    """An override waits for a second person; everything else is in force at once."""

    WAITING = "waiting", N_("Waiting for a second person")
    IN_FORCE = "in_force", N_("In force")
    REJECTED = "rejected", N_("Rejected")


class ProposalState(LabelledEnum):
    """Where a proposal to look at an incident again stands."""

    OPEN = "open", N_("Waiting for a decision")
    TAKEN = "taken", N_("Taken up")
    DISMISSED = "dismissed", N_("Dismissed")


class FindingState(LabelledEnum):
    """A finding is live until it is withdrawn or overturned."""

    PROVEN = "proven", N_("Proven")
    NOT_PROVEN = "not_proven", N_("Not proven")
    OVERTURNED = "overturned", N_("Overturned")


class EvidenceKind(LabelledEnum):
    """What the answer to an item of the checklist says."""

    #: Something that must be there: without it the offence is not proven.
    PROOF = "proof", N_("Necessary proof")
    #: Something that the subscriber had to be told: one of them that was not told makes the offence.
    DISCLOSURE = "disclosure", N_("Must be told")


class Attribution(Base):
    """A verdict with its chain of parties and reasons; immutable but for its state."""

    __tablename__ = "attribution"
    __table_args__ = (
        # Each verdict is superseded at most once, and an incident has one first verdict: a chain, no forks.
        Index(
            "uq_attribution_supersedes",
            "supersedes_id",
            unique=True,
            sqlite_where=text("state = 'in_force'"),
            postgresql_where=text("state = 'in_force'"),
        ),
        Index(
            "uq_attribution_waiting",
            "incident_id",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "uq_attribution_first",
            "incident_id",
            unique=True,
            sqlite_where=text("supersedes_id IS NULL AND state = 'in_force'"),
            postgresql_where=text("supersedes_id IS NULL AND state = 'in_force'"),
        ),
        CheckConstraint(
            "verdict NOT IN ('attributed', 'official_number') OR party_id IS NOT NULL", name="chargeable_has_party"
        ),
        CheckConstraint("method <> 'override' OR reason IS NOT NULL", name="override_has_reason"),
        CheckConstraint(
            "method <> 'override' OR state <> 'in_force' OR confirmed_by IS NOT NULL", name="override_confirmed"
        ),
        CheckConstraint("confirmed_by <> decided_by", name="two_people"),
        Index(None, "incident_id", "id"),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    verdict: Mapped[Verdict]
    method: Mapped[Method]
    #: The party that made the call; the payer is decided when the amount is priced.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    #: The sponsoring branch as of the call; the row's unit for scope.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    #: ``[[party id, role or NULL], ...]`` from the caller up to the sponsoring branch, as of the call.
    chain: Mapped[list[Any]]
    #: ``[[message id, {parameters}], ...]``: why, in words.
    reasons: Mapped[list[Any]]
    #: The grade of the strongest ground for the party; NULL: none, or a verdict from before there were grades.
    grade: Mapped[Grade | None]
    #: What it rests on: ``[{"kind", "grade", "platform", "record_id", "on_day"}, ...]``; a record that was corrected
    #: since is found by it. NULL: a verdict from before records were kept.
    grounds: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    #: What the system suggested when the person decided: party id or NULL.
    suggested_party_id: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(MaskedText)
    state: Mapped[AttributionState]
    decided_by: Mapped[int]
    decided_at: Mapped[dt.datetime]
    confirmed_by: Mapped[int | None]
    confirmed_at: Mapped[dt.datetime | None]
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("attribution.id"))


class IncidentVerdict(Base):
    """The verdict in force of an incident: a cache that a self-check recomputes; the queue filters by it."""

    __tablename__ = "incident_verdict"
    __table_args__ = (Index(None, "verdict", "incident_id"), Index(None, "party_id", "incident_id"))

    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, autoincrement=False)
    attribution_id: Mapped[int] = mapped_column(ForeignKey("attribution.id"), unique=True)
    verdict: Mapped[Verdict]
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)


class IncidentSuggestion(Base):
    """What the evidence said of an undecided incident when it was last weighed: for lists; deciding weighs anew."""

    __tablename__ = "incident_suggestion"
    __table_args__ = (Index(None, "is_automatic", "incident_id"),)

    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, autoincrement=False)
    #: The party that the strongest grounds name alone.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    grade: Mapped[Grade | None]
    #: A record proves it and nothing contradicts: it may be accepted in bulk.
    is_automatic: Mapped[bool]
    is_contradicted: Mapped[bool]
    #: An official number that no platform dialled.
    is_spoofing_suspected: Mapped[bool]
    weighed_at: Mapped[dt.datetime]


class EvidenceRound(Base):
    """The last walk over incidents, or over watched days: what records and registers said by then is reflected."""

    __tablename__ = "evidence_round"

    #: Which walk: ``weigh``, ``recheck`` or ``watch``.
    name: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[dt.datetime]


class ReattributionProposal(Base):
    """A register changed: this incident would now be attributed otherwise. A person decides."""

    __tablename__ = "reattribution_proposal"
    __table_args__ = (
        Index(
            "uq_reattribution_open",
            "incident_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        CheckConstraint("(state = 'open') = (decided_by IS NULL)", name="decided_by_set"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    #: What the register says now; NULL: nobody any more.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    reasons: Mapped[list[Any]]
    state: Mapped[ProposalState] = mapped_column(default=ProposalState.OPEN)
    found_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]


class EvidenceItem(Base):
    """An item of an offence type's checklist, for calls of a period: a proven finding answers every one (F40)."""

    __tablename__ = "evidence_item"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("offence_code", "code", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    offence_code: Mapped[str]
    code: Mapped[str]
    kind: Mapped[EvidenceKind]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    #: Its place on the checklist.
    position: Mapped[int]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class Finding(Base):
    """One offence type proven, or not, for one incident and party; at most one live one."""

    __tablename__ = "finding"
    __table_args__ = (
        Index(
            "uq_finding_live",
            "incident_id",
            "offence_code",
            "party_id",
            unique=True,
            sqlite_where=text("state <> 'overturned'"),
            postgresql_where=text("state <> 'overturned'"),
        ),
        CheckConstraint("evidence_note <> ''", name="has_evidence"),
        CheckConstraint("state = 'proven' OR NOT held", name="held_is_proven"),
        CheckConstraint("(state = 'overturned') = (overturned_at IS NOT NULL)", name="overturned_at_set"),
        Index(None, "party_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    attribution_id: Mapped[int] = mapped_column(ForeignKey("attribution.id"), index=True)
    offence_type_id: Mapped[int] = mapped_column(ForeignKey("offence_type.id"))
    #: The type's code, which rules go by; the type row gives words and legal basis of that day.
    offence_code: Mapped[str]
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    state: Mapped[FindingState]
    #: What was heard, seen or read, by whom and when (F39): no finding without it.
    evidence_note: Mapped[str] = mapped_column(MaskedText)
    #: ``{code of an EvidenceItem: true or false}``; NULL: the type had no checklist then. A trigger refuses a proven
    #: finding without one where there is one; ``attribution.checklists`` says what the answers must be.
    checklist: Mapped[dict[str, bool] | None] = mapped_column(JSON(none_as_null=True))
    found_by: Mapped[int]
    found_at: Mapped[dt.datetime]
    #: An approved amount hangs on it: neither it nor the verdict may change before that amount is reversed.
    #: Set and cleared by the subject that holds the money (``findings.hold``, ``findings.release``).
    held: Mapped[bool] = mapped_column(default=False)
    overturned_by: Mapped[int | None]
    overturned_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)
