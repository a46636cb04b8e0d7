"""A charged party with a contract and a rule, and penalties in whatever state a test needs."""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.access.models import User
from supervise.access.roles import Role
from supervise.complaints.models import Incident
from supervise.contracts.models import Contract, RuleVersion
from supervise.errors import RowResult
from supervise.files.models import Attachment, MediaType
from supervise.files.vault import StoredFile, record_attachment
from supervise.parties.merge_models import PartyMerge
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.approve import Shown, approve
from supervise.penalties.merge_parties import propose_merge
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.notice_models import ObjectionAttachment
from supervise.penalties.propose import propose_penalties
from tests.factories.access import make_user
from tests.factories.attribution import make_proven_incident
from tests.factories.contracts import make_contract, make_rule
from tests.factories.ledger import make_period
from tests.factories.parties import give_scope, make_party, make_unit, unit_party

MAKER = 921


class Charged(NamedTuple):
    """Who is charged, by what."""

    party: Party
    unit: OrgUnit
    contract: Contract
    rule: RuleVersion


def make_charged_partner(session: Session, *, parameters: dict[str, Any] | None = None, **terms: Any) -> Charged:
    """An agent under contract, sponsored by a branch, with one rule for every offence type."""
    make_period(session)
    unit = make_unit(session, cost_centre="CC-01")
    party = make_party(session, sponsor=unit)
    contract = make_contract(session, party=party, unit=unit, **terms)
    return Charged(party, unit, contract, make_rule(session, contract=contract, parameters=parameters))


def make_charged_branch(session: Session, *, parameters: dict[str, Any] | None = None, **terms: Any) -> Charged:
    """A branch under the assessment policy of the province above it."""
    make_period(session)
    province = make_unit(session, name="省公司")
    unit = make_unit(session, parent=province, cost_centre="CC-02")
    policy = make_contract(session, party=None, unit=province, **terms)
    rule = make_rule(session, contract=policy, parameters=parameters)
    return Charged(unit_party(session, unit), unit, policy, rule)


def make_supervisor(session: Session, *, username: str = "supervisor") -> User:
    known = session.scalars(sa.select(User).where(User.username == username)).one_or_none()
    return known or make_user(session, username=username, role=Role.SUPERVISOR)


def make_contact(session: Session, charged: Charged, *, username: str = "contact") -> User:
    """Somebody of the charged party who can sign in and look: a contact, or a branch manager."""
    if charged.party.org_unit_id is not None:
        manager = make_user(session, username=username, role=Role.BRANCH_MANAGER)
        give_scope(session, user_id=manager.id, unit=charged.unit)
        return manager
    contact = make_user(session, username=username, role=Role.PARTNER_CONTACT)
    give_scope(session, user_id=contact.id, party=charged.party)
    return contact


def propose(session: Session, *incidents: Incident, actor_id: int = MAKER) -> list[Penalty]:
    """Propose the penalties of the incidents, and return the live ones in the order they were made."""
    results = propose_penalties(session, [incident.id for incident in incidents], actor_id=actor_id)
    for result in results:
        if result.refusal is not None:
            raise result.refusal
    return live_penalties(session, *incidents)


def live_penalties(session: Session, *incidents: Incident) -> list[Penalty]:
    query = sa.select(Penalty).where(
        Penalty.incident_id.in_([incident.id for incident in incidents]),
        Penalty.state.not_in([PenaltyState.RETURNED, PenaltyState.VOIDED, PenaltyState.REVERSED]),
    )
    return list(session.scalars(query.order_by(Penalty.id)))


def shown(*penalties: Penalty) -> list[Shown]:
    """The lines as a page shows them."""
    return [Shown(penalty.id, penalty.content_sha256) for penalty in penalties]


def approve_all(session: Session, *penalties: Penalty, actor_id: int | None = None) -> list[RowResult]:
    """Approve, as a supervisor unless somebody else is named."""
    approver = actor_id if actor_id is not None else make_supervisor(session).id
    return approve(session, shown(*penalties), actor_id=approver)


def make_approved_penalty(session: Session, *, charged: Charged, **incident: Any) -> Penalty:
    """A penalty that a supervisor has approved."""
    made = make_proven_incident(session, party=charged.party, **incident)
    [penalty] = propose(session, made)
    [result] = approve_all(session, penalty)
    if result.refusal is not None:
        raise result.refusal
    return penalty


def make_merger(session: Session, *, actor_id: int = MAKER) -> PartyMerge:
    """A merger of a party with an approved penalty, which waits for a second person."""
    charged = make_charged_partner(session)
    make_approved_penalty(session, charged=charged)
    into = make_party(session)
    return propose_merge(session, charged.party.id, into_id=into.id, reason="同一家公司", actor_id=actor_id)


def make_objection_file(session: Session, objection_id: int) -> Attachment:
    """A file that came with an objection; no bytes lie in the vault."""
    attachment = record_attachment(
        session,
        StoredFile(f"{objection_id:064x}", "0" * 64, 1_000),
        "退租单.txt",
        MediaType.TEXT,
        source="异议",
        actor_id=MAKER,
    )
    session.add(
        ObjectionAttachment(
            attachment_id=attachment.id, objection_id=objection_id, added_by=MAKER, added_at=attachment.added_at
        )
    )
    session.flush()
    return attachment
