"""Sparing a call an amount that nobody has proposed yet, and bringing it back.

The offence stays proven and counts as a case; a call that is charged already is waived or reversed instead. What is
found of the call later is not spared with it. Source: docs/rules.md, P-12.
"""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import CHARGEABLE_VERDICTS, Finding, FindingState, IncidentVerdict
from supervise.audit.record import record_event
from supervise.complaints.models import Incident
from supervise.db import reserve_ids
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    SamePersonError,
)
from supervise.labels import N_
from supervise.parties.models import Party
from supervise.penalties.belonging import ChargedUnits
from supervise.penalties.cases import NothingProvenError
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty
from supervise.penalties.spare_models import SparedFinding, SpareReason
from supervise.penalties.spare_queries import live_sparings


class AlreadyPricedError(ConflictError):
    """What has an amount is returned, waived or reversed, never spared."""

    message = N_("%(reference)s charges this call already; return, waive or reverse it instead")


class AlreadySparedError(ConflictError):
    """One sparing at a time."""

    message = N_("The call is spared already")


class NotSparedError(ConflictError):
    """Only what is spared can be brought back."""

    message = N_("The call is not spared (any more)")


class OwnCallError(NotPermittedError):
    """The user belongs to the unit or party that answers for the call."""

    message = N_("Your own unit or party answers for this call; somebody else must decide")


def spare_call(
    session: Session, incident_id: int, because: SpareReason, reason: str, *, actor_id: int
) -> list[SparedFinding]:
    """Spare the proven offences of a call that have no amount; none is proposed until they are brought back.

    Raises:
        NotFoundError: if there is no such call.
        InvalidInputError: without a *reason*.
        OwnCallError: if the user belongs to who answers for the call.
        AlreadyPricedError: if a live penalty charges it.
        AlreadySparedError, NothingProvenError: if nothing of it is left to spare.
    """
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    _lock(session, incident_id)
    _refuse_own(session, incident_id, actor_id)
    charged = select(Penalty.reference).where(
        Penalty.incident_id == incident_id, Penalty.state.in_(LIVE_PENALTY_STATES)
    )
    reference = session.scalar(charged.order_by(Penalty.id).limit(1))
    if reference is not None:
        raise AlreadyPricedError(reference=reference)
    findings = _unspared(session, incident_id)
    if not findings:
        raise AlreadySparedError if live_sparings(session, incident_id) else NothingProvenError
    ids = reserve_ids(session, SparedFinding.__table__, len(findings))
    rows = [
        SparedFinding(
            id=spared_id,
            finding_id=finding_id,
            because=because,
            reason=reason.strip(),
            spared_by=actor_id,
            spared_at=clock.now(),
        )
        for spared_id, finding_id in zip(ids, findings, strict=True)
    ]
    session.add_all(rows)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="incident.spared",
        subject="incident",
        subject_id=incident_id,
        changes={"finding_ids": findings, "because": because.value},
        reason=reason.strip(),
    )
    return rows


def agree_to_sparing(session: Session, incident_id: int, *, actor_id: int) -> list[SparedFinding]:
    """Agree, as the second person, that nobody is charged for what is spared of a call.

    Raises:
        NotFoundError: if there is no such call.
        SamePersonError: if the user spared some of it.
        OwnCallError: if the user belongs to who answers for the call.
        NotSparedError: if nothing of it is spared.
        AlreadyDecidedError: if somebody has agreed.
    """
    _lock(session, incident_id)
    _refuse_own(session, incident_id, actor_id)
    rows = list(live_sparings(session, incident_id))
    if not rows:
        raise NotSparedError
    waiting = [row for row in rows if row.agreed_at is None]
    if not waiting:
        raise AlreadyDecidedError
    if any(row.spared_by == actor_id for row in waiting):  # also a CHECK of the table
        raise SamePersonError
    for row in waiting:
        row.agreed_by, row.agreed_at = actor_id, clock.now()
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="incident.sparing_agreed",
        subject="incident",
        subject_id=incident_id,
        changes={"finding_ids": [row.finding_id for row in waiting]},
    )
    return waiting


def bring_back_call(session: Session, incident_id: int, note: str, *, actor_id: int) -> list[SparedFinding]:
    """Let a spared call be priced again, saying why.

    Raises:
        NotFoundError: if there is no such call.
        InvalidInputError: without a *note*.
        OwnCallError: if the user belongs to who answers for the call.
        NotSparedError: if nothing of it is spared.
    """
    if not note.strip():
        raise InvalidInputError(N_("Give a reason"))
    _lock(session, incident_id)
    _refuse_own(session, incident_id, actor_id)
    rows = list(live_sparings(session, incident_id))
    if not rows:
        raise NotSparedError
    for row in rows:
        row.brought_back_by, row.brought_back_at, row.bring_back_note = actor_id, clock.now(), note.strip()
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="incident.brought_back",
        subject="incident",
        subject_id=incident_id,
        changes={"finding_ids": [row.finding_id for row in rows]},
        reason=note.strip(),
    )
    return rows


def _lock(session: Session, incident_id: int) -> None:
    # As proposals lock it: of a sparing and a proposal at once, the second sees the first.
    query = select(Incident.id).where(Incident.id == incident_id).with_for_update(key_share=True)
    if session.scalar(query) is None:
        raise NotFoundError


def _refuse_own(session: Session, incident_id: int, actor_id: int) -> None:
    charged = ChargedUnits(session, actor_id)
    if charged.are_none:
        return
    query = select(Party).join(IncidentVerdict, IncidentVerdict.party_id == Party.id)
    party = session.scalar(query.where(IncidentVerdict.incident_id == incident_id))
    if party is not None and charged.include_party(party):
        raise OwnCallError


def _unspared(session: Session, incident_id: int) -> list[int]:
    spared = exists().where(SparedFinding.finding_id == Finding.id, SparedFinding.brought_back_at.is_(None))
    query = (
        select(Finding.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Finding.incident_id)
        .where(
            Finding.incident_id == incident_id,
            Finding.state == FindingState.PROVEN,
            ~Finding.held,
            IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS),
            ~spared,
        )
        .order_by(Finding.id)
    )
    return list(session.scalars(query))
