"""The calls that a threshold counts together: all that are proven of a contract, rule and calendar month."""

from collections.abc import Iterable

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import CHARGEABLE_VERDICTS, Finding, FindingState, IncidentVerdict
from supervise.bulk import slices
from supervise.complaints.models import Incident
from supervise.contracts.models import RuleState, RuleVersion
from supervise.errors import RefusalError
from supervise.penalties.cases import Case, load_cases
from supervise.penalties.pricing import Offence, Subject

#: Incidents that are looked through at once.
_AT_ONCE = 5_000


def counted_with(session: Session, cases: Iterable[Case | RefusalError]) -> dict[int, Case]:
    """Return the cases, by incident, that thresholds count together with *cases*; those themselves are among them.

    Nothing without a threshold costs more than one query here.
    """
    wanted: set[tuple[Subject, str, str]] = set()
    for case in cases:
        if isinstance(case, Case):
            wanted |= {key for found in case.findings if (key := _key(found.offence)) is not None}
    counted: dict[int, Case] = {}
    for month in sorted({month for _subject, _code, month in wanted}):
        for some in slices(_proven_in(session, month), _AT_ONCE):
            counted |= {
                incident_id: case
                for incident_id, case in load_cases(session, some, lock=False).items()
                if isinstance(case, Case) and any(_key(found.offence) in wanted for found in case.findings)
            }
    return counted


def any_threshold(session: Session) -> bool:
    """Say whether any rule that was ever in force has a threshold."""
    stated = RuleVersion.parameters["threshold"]["above_count"].as_string().is_not(None)
    return bool(session.scalar(select(exists().where(RuleVersion.state != RuleState.DRAFT, stated))))


def _key(offence: Offence) -> tuple[Subject, str, str] | None:
    if offence.rule.parameters.threshold is None:
        return None
    return offence.subject, offence.rule.code, clock.month_of(offence.occurred_on)


def _proven_in(session: Session, month: str) -> list[int]:
    first, next_first = clock.month_bounds(month)
    proven = exists().where(
        Finding.incident_id == IncidentVerdict.incident_id,
        Finding.attribution_id == IncidentVerdict.attribution_id,
        Finding.state == FindingState.PROVEN,
    )
    query = (
        select(Incident.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(
            Incident.occurred_on >= first,
            Incident.occurred_on < next_first,
            IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS),
            proven,
        )
        .order_by(Incident.id)
    )
    return list(session.scalars(query))
