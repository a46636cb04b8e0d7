"""What happened, as the timeline macro shows it: translated, with names instead of ids."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supervise.complaints.models import IncidentFlag
from supervise.complaints.workdays import HOLIDAYS
from supervise.desk.timeline import Happening
from supervise.labels import LabelledEnum, translate


@dataclass(frozen=True)
class Told:
    """An item of the timeline macro."""

    at: dt.datetime
    title: str
    who: str | None
    detail: str | None
    tone: str | None


def told(happenings: Sequence[Happening], names: Mapping[int, str]) -> list[Told]:
    """Return *happenings* in the words of the reader."""
    return [_told(happening, names) for happening in happenings]


def _told(happening: Happening, names: Mapping[int, str]) -> Told:
    parameters = {
        name: value.label if isinstance(value, LabelledEnum) else value for name, value in happening.parameters.items()
    }
    who = names.get(happening.actor_id) if happening.actor_id is not None else None
    detail = translate(happening.detail) if happening.detail else None
    return Told(happening.at, translate(happening.message, parameters), who, detail, happening.tone)


def reasons_in_words(reasons: Sequence[Sequence[object]]) -> list[str]:
    """Return stored ``[message id, {parameters}]`` as sentences."""
    return [translate(str(message), parameters) for message, parameters in reasons]


def flag_words(value: str) -> str:
    """Return the words of a stored ``IncidentFlag``."""
    return IncidentFlag(value).label


def holiday_words(note: str) -> str:
    """Return why a day of the calendar is special: a known holiday in the reader's language, typed words as typed."""
    return translate(note) if note in HOLIDAYS else note
