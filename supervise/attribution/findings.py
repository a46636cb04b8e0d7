"""Findings: which offence types are proven for a call, each with what was heard, seen or read (domain F39, F40)."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution import checklists
from supervise.attribution.models import CHARGEABLE_VERDICTS, Finding, FindingState, IncidentVerdict
from supervise.attribution.proof_models import VerificationKind, VerificationOutcome
from supervise.attribution.suspended_calls import CALL_WHILE_SUSPENDED, calls_while_suspended
from supervise.attribution.verification import UnverifiedError, Verified, confirmed_incidents, write_entries
from supervise.audit.record import record_event
from supervise.bulk import among
from supervise.complaints.models import Incident, IncidentState, OffenceType
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, RefusalError, RowResult
from supervise.labels import N_
from supervise.parties.officials import official_uses_at

#: The type of a marketing call from any number that is not official (domain C1, C3); its row says since when.
UNAUTHORISED_NUMBER = "unauthorised_number"


class NoVerdictError(ConflictError):
    """An offence can be found only against a party that a verdict names."""

    message = N_("No party answers for this call yet; decide the verdict first")


class MoneyHangsOnItError(ConflictError):
    """An approved amount rests on a finding of this call."""

    message = N_("An approved amount rests on the findings of this call; reverse it first")


class FindingsChangedError(ConflictError):
    """Another verdict came into force, or somebody recorded findings, while the user was deciding on them."""

    message = N_("The verdict or the findings of this call changed while you looked; look again")


class Seen(NamedTuple):
    """What the user had on screen: the verdict in force, and the findings that hold."""

    verdict_id: int
    finding_ids: frozenset[int]


class Proof(NamedTuple):
    """One offence type, proven or not, and the evidence."""

    offence_code: str
    proven: bool
    evidence_note: str
    #: The answers to the checklist that the type had on the day of the call, by code of the item.
    checklist: checklists.Answers | None = None
    #: How it was verified: the note is then entered in the verification log too. None: the log has it already.
    verified_by: VerificationKind | None = None


def record_findings(
    session: Session, incident_id: int, proofs: Sequence[Proof], *, actor_id: int, seen: Seen | None = None
) -> Sequence[Finding]:
    """Record which offences of one incident are proven; a finding the other way round is overturned by it.

    Raises:
        FindingsChangedError: if what holds is not what was *seen*.
        NoVerdictError: if no party answers for it.
        AlreadyDecidedError: if it was found so before.
        MoneyHangsOnItError: if an approved amount rests on the finding that this would overturn.
        InvalidInputError: for a finding without evidence, or an offence type unknown on the day of the call.
        ChecklistError: if it is to be proven, and the answers to the type's checklist do not prove it.
        UnverifiedError: if it is to be proven, and neither the log nor the proof says how it was verified.
    """
    if seen is not None and _held_now(session, incident_id) != seen:
        raise FindingsChangedError
    [result] = record_findings_for(session, [incident_id], proofs, actor_id=actor_id)
    if result.refusal is not None:
        raise result.refusal
    return session.scalars(
        select(Finding)
        .where(Finding.incident_id == incident_id, Finding.state != FindingState.OVERTURNED)
        .order_by(Finding.id)
    ).all()


def _held_now(session: Session, incident_id: int) -> Seen:
    """Return what holds once the incident is locked: verdicts and findings go by that lock."""
    session.execute(select(Incident.id).where(Incident.id == incident_id).with_for_update(key_share=True)).all()
    verdict = session.get(IncidentVerdict, incident_id, populate_existing=True)
    live = select(Finding.id).where(Finding.incident_id == incident_id, Finding.state != FindingState.OVERTURNED)
    return Seen(verdict.attribution_id if verdict else 0, frozenset(session.scalars(live)))


def record_findings_for(
    session: Session, incident_ids: Sequence[int], proofs: Sequence[Proof], *, actor_id: int
) -> list[RowResult]:
    """Record the same findings for each incident; return a result for every id, in order.

    Raises:
        InvalidInputError: for a finding without evidence; nothing is recorded then.
    """
    _check_proofs(proofs)
    recorder = _Recorder(session, list(dict.fromkeys(incident_ids)), proofs, actor_id)
    results = [RowResult(incident_id, recorder.consider(incident_id)) for incident_id in recorder.ids]
    recorder.write()
    return results


def _check_proofs(proofs: Sequence[Proof]) -> None:
    if not proofs:
        raise InvalidInputError(N_("Choose an offence type"))
    if len({proof.offence_code for proof in proofs}) != len(proofs):
        raise InvalidInputError(N_("Each offence type is found once"))
    if any(not proof.evidence_note.strip() for proof in proofs):  # also a CHECK of the table
        raise InvalidInputError(N_("Say what was heard, seen or read: no finding without evidence"))


class _Recorder:
    """Decides on incidents in memory, then writes all findings at once."""

    def __init__(self, session: Session, ids: Sequence[int], proofs: Sequence[Proof], actor_id: int) -> None:
        self.session, self.ids, self.proofs, self.actor_id = session, ids, proofs, actor_id
        locked = select(Incident.id, Incident.occurred_on).where(Incident.id.in_(ids)).order_by(Incident.id)
        self.days = {row.id: row.occurred_on for row in session.execute(locked.with_for_update(key_share=True))}
        verdicts = session.scalars(select(IncidentVerdict).where(IncidentVerdict.incident_id.in_(ids)))
        self.verdicts = {verdict.incident_id: verdict for verdict in verdicts}
        self.types = _types(session, {proof.offence_code for proof in proofs})
        self.items = checklists.evidence_items(session, list(self.types))
        live = select(Finding).where(Finding.incident_id.in_(ids), Finding.state != FindingState.OVERTURNED)
        self.live = {(one.incident_id, one.offence_code): one for one in session.scalars(live)}
        self.confirmed = confirmed_incidents(session, ids)
        self.new: list[Finding] = []
        self.old: list[Finding] = []

    def consider(self, incident_id: int) -> RefusalError | None:
        """Take the incident's findings in, or return why not."""
        verdict = self.verdicts.get(incident_id)
        if verdict is None or verdict.verdict not in CHARGEABLE_VERDICTS or verdict.party_id is None:
            return NoVerdictError()
        new, old = [], []
        for proof in self.proofs:
            kind, unusable = self._judge(proof, self.days[incident_id])
            if kind is None:
                return unusable
            state = FindingState.PROVEN if proof.proven else FindingState.NOT_PROVEN
            before = self.live.get((incident_id, proof.offence_code))
            if before is not None:
                if before.state is state:
                    return AlreadyDecidedError()
                if before.held:
                    return MoneyHangsOnItError()
                old.append(before)
            if proof.proven and proof.verified_by is None and incident_id not in self.confirmed:  # also a trigger
                return UnverifiedError()
            new.append(self._finding(verdict, verdict.party_id, kind, proof, state))
        self.new += new
        self.old += old
        return None

    def _judge(self, proof: Proof, on: dt.date) -> tuple[OffenceType | None, RefusalError | None]:
        """Return the offence type of that day if the answers fit its checklist, else the refusal."""
        kind = next((kind for kind in self.types[proof.offence_code] if _holds(kind, on)), None)
        if kind is None:
            message = N_("%(code)s was no offence type on %(day)s")
            return None, InvalidInputError(message, code=proof.offence_code, day=on.isoformat())
        items = [item for item in checklists.items_on(self.items, on) if item.offence_code == kind.code]
        wrong = checklists.shortfall(items, proof.checklist or {}, proven=proof.proven)
        return (kind, None) if wrong is None else (None, checklists.refusal(kind, items, wrong))

    def _finding(
        self, verdict: IncidentVerdict, party_id: int, kind: OffenceType, proof: Proof, state: FindingState
    ) -> Finding:
        return Finding(
            incident_id=verdict.incident_id,
            attribution_id=verdict.attribution_id,
            offence_type_id=kind.id,
            offence_code=kind.code,
            party_id=party_id,
            state=state,
            evidence_note=proof.evidence_note.strip(),
            checklist=dict(proof.checklist) if proof.checklist else None,
            found_by=self.actor_id,
            found_at=clock.now(),
        )

    def write(self) -> None:
        """Overturn what is replaced, enter the verification, add the findings; the incidents' states follow."""
        _overturn(self.session, [finding.id for finding in self.old], self.actor_id)
        if not self.new:
            return
        touched = {finding.incident_id for finding in self.new}
        verified = _verifications(self.proofs)
        # Before the findings: a trigger looks for it.
        write_entries(self.session, sorted(touched), verified, actor_id=self.actor_id)
        self.session.add_all(self.new)
        self.session.flush()
        _follow(self.session, touched)
        record_event(
            self.session,
            actor_id=self.actor_id,
            action="findings.recorded",
            subject="incident",
            subject_id=next(iter(touched)) if len(touched) == 1 else None,
            changes={
                "incident_ids": sorted(touched),
                "findings": {proof.offence_code: proof.proven for proof in self.proofs},
                "overturned_ids": [finding.id for finding in self.old],
                "verified_by": [one.kind.value for one in verified],
            },
        )


def _verifications(proofs: Sequence[Proof]) -> list[Verified]:
    """Return what the proofs enter in the log: each kind and note once, confirming if anything was proven by it."""
    found: dict[tuple[VerificationKind, str], bool] = {}
    for proof in proofs:
        if proof.verified_by is not None:
            key = (proof.verified_by, proof.evidence_note.strip())
            found[key] = found.get(key, False) or proof.proven
    outcomes = {True: VerificationOutcome.CONFIRMED, False: VerificationOutcome.NOT_CONFIRMED}
    return [Verified(kind, outcomes[proven], note) for (kind, note), proven in found.items()]


def _types(session: Session, codes: Collection[str]) -> dict[str, list[OffenceType]]:
    types: dict[str, list[OffenceType]] = {code: [] for code in codes}
    for kind in session.scalars(select(OffenceType).where(OffenceType.code.in_(codes)).order_by(OffenceType.id)):
        types[kind.code].append(kind)
    return types


def _holds(kind: OffenceType, on: dt.date) -> bool:
    return kind.valid_from <= on and (kind.valid_to is None or on < kind.valid_to)


def _follow(session: Session, incident_ids: Collection[int]) -> None:
    """An incident with a proven offence is confirmed; one of which nothing is proven is not."""
    proven = set(
        session.scalars(
            select(Finding.incident_id).where(
                Finding.incident_id.in_(incident_ids), Finding.state == FindingState.PROVEN
            )
        )
    )
    for state, some in (
        (IncidentState.CONFIRMED, proven),
        (IncidentState.UNCONFIRMED, set(incident_ids) - proven),
    ):
        session.execute(
            update(Incident)
            .where(Incident.id.in_(some), Incident.state != state)
            .values(state=state, version=Incident.version + 1)
        )


def overturn_findings(session: Session, incident_ids: Collection[int], *, actor_id: int) -> None:
    """Overturn every live finding of the incidents, because another verdict comes into force.

    Raises:
        MoneyHangsOnItError: if an approved amount rests on one of them.
    """
    live = select(Finding.id, Finding.held).where(
        Finding.incident_id.in_(incident_ids), Finding.state != FindingState.OVERTURNED
    )
    rows = session.execute(live.order_by(Finding.id)).all()
    if any(row.held for row in rows):
        raise MoneyHangsOnItError
    _overturn(session, [row.id for row in rows], actor_id)


def _overturn(session: Session, finding_ids: Sequence[int], actor_id: int) -> None:
    """Overturn these by compare-and-set: an approval that holds one at this moment wins."""
    if not finding_ids:
        return
    done = session.scalars(
        update(Finding)
        .where(Finding.id.in_(finding_ids), Finding.held.is_(False), Finding.state != FindingState.OVERTURNED)
        .values(
            state=FindingState.OVERTURNED,
            overturned_by=actor_id,
            overturned_at=clock.now(),
            version=Finding.version + 1,
        )
        .returning(Finding.id)
    ).all()
    if len(done) != len(finding_ids):
        raise MoneyHangsOnItError


def lock_proven(session: Session, finding_ids: Collection[int]) -> set[int]:
    """Lock these findings, in the order of ids, and return those that are proven: no verdict changes them now."""
    rows = session.execute(
        select(Finding.id, Finding.state)
        .where(among(session, Finding.id, list(finding_ids)))
        .order_by(Finding.id)
        .with_for_update(key_share=True)
    )
    return {row.id for row in rows if row.state is FindingState.PROVEN}


def hold(session: Session, finding_ids: Collection[int]) -> None:
    """Let approved money rest on these findings, which the caller has locked; ``release`` undoes it."""
    session.execute(update(Finding).where(among(session, Finding.id, sorted(finding_ids))).values(held=True))


def release(session: Session, finding_ids: Collection[int]) -> None:
    """Say that no approved amount rests on these findings any more."""
    session.execute(update(Finding).where(Finding.id.in_(sorted(finding_ids))).values(held=False))


def lift(session: Session, finding_ids: Collection[int], *, actor_id: int) -> None:
    """Overturn findings that money no longer rests on, because the charged party was right.

    The caller has released and locked them.
    """
    ids = sorted(finding_ids)
    incidents = set(session.scalars(select(Finding.incident_id).where(Finding.id.in_(ids))))
    _overturn(session, ids, actor_id)
    _follow(session, incidents)


def suggested_offences(session: Session, incidents: Iterable[Incident]) -> dict[int, tuple[str, ...]]:
    """Return the offence types that the registers suggest for each incident (by id); a person proves them.

    A marketing call from a number that no carrier declared official is made from an unauthorised number, since
    that is an offence type (2025-08-01; domain C1-C3). A hotline is official, for whatever else it must not be used.
    A call whose party was suspended at that moment is one too (domain F48).
    """
    rows = list(incidents)
    types = _types(session, [UNAUTHORISED_NUMBER, CALL_WHILE_SUSPENDED])
    uses = official_uses_at(session, {(row.caller_number, row.occurred_on) for row in rows if row.caller_number})
    while_suspended = calls_while_suspended(session, rows)
    found: dict[int, tuple[str, ...]] = {}
    for row in rows:
        unauthorised = row.caller_number and (row.caller_number, row.occurred_on) not in uses
        speaks_for = {UNAUTHORISED_NUMBER: unauthorised, CALL_WHILE_SUSPENDED: row.id in while_suspended}
        found[row.id] = tuple(
            code
            for code, speaks in speaks_for.items()
            if speaks and any(_holds(kind, row.occurred_on) for kind in types[code])
        )
    return found
