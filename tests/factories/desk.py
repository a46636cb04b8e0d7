"""What lies on the desk: views that people keep, overrides and second looks that wait."""

from itertools import count

from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.decide import decide_verdict
from supervise.attribution.models import Attribution, AttributionState, ReattributionProposal, Verdict
from supervise.complaints.models import Ticket
from supervise.desk.bulk_runs import Subject, write_run
from supervise.desk.models import BulkAction, BulkRun, SavedView
from supervise.jobs.records import create_job
from supervise.parties.models import OrgUnit, Party
from tests.factories.complaints import make_incident, make_number
from tests.factories.parties import make_holder, make_party

TRIAGER = 911
_serial = count(1)


def make_view(
    session: Session, *, user_id: int, name: str | None = None, query: str = "due=late", shared: bool = False
) -> SavedView:
    view = SavedView(user_id=user_id, name=name or f"view {next(_serial)}", query=query, shared=shared)
    session.add(view)
    session.flush()
    return view


def make_run(session: Session, *, user_id: int, ticket: Ticket) -> BulkRun:
    """A run over one ticket that nobody has begun."""
    job = create_job(session, "bulk.run", {}, actor_id=user_id)
    return write_run(
        session, BulkAction.ACCEPT, [Subject(ticket.id)], job_id=job.id, locale="zh_Hans", actor_id=user_id
    )


def make_override(
    session: Session, *, unit: OrgUnit | None = None, party: Party | None = None, actor_id: int = TRIAGER
) -> Attribution:
    """A call whose number somebody holds, decided otherwise: it waits for a second person."""
    digits = f"0297{next(_serial):07d}"
    make_holder(session, party=make_party(session, name="登记的持有人"), digits=digits)
    incident = make_incident(session, number=make_number(session), unit=unit, caller_number=digits)
    other = party or make_party(session, name="实际外呼者")
    attribution = decide_verdict(
        session, incident.id, Verdict.ATTRIBUTED, other.id, reason="分公司书面说明", shown_id=None, actor_id=actor_id
    )
    assert attribution.state is AttributionState.WAITING
    return attribution


def make_second_look(session: Session, *, unit: OrgUnit | None = None) -> ReattributionProposal:
    """A call that the registers of today would attribute to somebody else."""
    incident = make_incident(session, number=make_number(session), unit=unit)
    proposal = ReattributionProposal(
        incident_id=incident.id, party_id=make_party(session).id, reasons=[], found_at=clock.now()
    )
    session.add(proposal)
    session.flush()
    return proposal
