"""A race that somebody lost on the page of a call: what they had on screen, and what holds now."""

from collections.abc import Mapping
from typing import NamedTuple

from supervise.attribution.models import FindingState
from supervise.desk.calls import FindingLine, VerdictLine
from supervise.desk.story import IncidentStory


class LostRace(NamedTuple):
    """Which decision came too late, and what whoever took it had seen."""

    #: The form whose input is kept; ``override`` has none.
    form: str
    #: None: nobody had decided yet.
    verdict_id: int | None
    #: In which state each finding was.
    findings: Mapping[int, FindingState] = {}


class Changed(NamedTuple):
    """Both versions, in the rows that the page shows them by."""

    form: str
    verdict: VerdictLine | None
    findings: list[tuple[FindingLine, FindingState]]
    findings_now: list[tuple[FindingLine, FindingState]]


def changed_of(story: IncidentStory, race: LostRace) -> Changed:
    """Return both versions of what *race* was about."""
    call = story.call
    verdicts = [line for line in (call.in_force, call.waiting, *call.earlier) if line is not None]
    return Changed(
        race.form,
        next((line for line in verdicts if line.attribution.id == race.verdict_id), None),
        [(line, race.findings[line.finding.id]) for line in call.findings if line.finding.id in race.findings],
        [(line, line.finding.state) for line in findings_now(story)],
    )


def findings_now(story: IncidentStory) -> list[FindingLine]:
    """Return the findings that hold."""
    return [line for line in story.call.findings if line.finding.state is not FindingState.OVERTURNED]
