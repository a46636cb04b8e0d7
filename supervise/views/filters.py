"""What templates do with values: amounts, moments in China, due times in words, colours of states."""

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from flask import Flask

from supervise import clock
from supervise.attribution.grades import GroundKind
from supervise.complaints.workdays import days_in_words
from supervise.labels import N_, _, current_locale, ngettext, translate
from supervise.money import format_yuan
from supervise.views.assets import asset_url
from supervise.views.telling import flag_words, holiday_words, reasons_in_words

_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
#: Less than this is left: the due time is shown as a warning.
SOON = _DAY

# The colour goes by the stored value, over all enums on purpose: one word, one colour on every page.
# What is not named here is grey.
_TONES = {
    # goes on without the one who looks
    "primary": "attributed approved batched sent replied investigating running reading committing confirmed upheld",
    # waits for somebody
    "warning": "new open proposed waiting returned draft queued uploaded previewed claimed suspended unconfirmed "
    "insufficient reduced probable_duplicate called_after_complaint caller_missing duplicate",
    # is as it should be
    "success": "final active accepted registered taken in_force done completed committed official_number",
    # is not
    "danger": "proven rejected refused failed voided spoofed error terminated time_barred",
}
_TONE_OF = {value: tone for tone, values in _TONES.items() for value in values.split()}


def yuan(fen: int) -> str:
    """Return *fen* as yuan: ``1,234.50``."""
    return format_yuan(fen)


def china_time(at: dt.datetime | None, shape: str = "minute") -> str:
    """Return an aware moment as China's wall clock shows it; nothing for ``None``.

    *shape* is ``minute`` (``2026-11-22 17:34``), ``second``, ``day``, or ``short``
    (``11-22 17:34`` in the present year, else the day), for dense tables.
    """
    if at is None:
        return ""
    local = at.astimezone(clock.CHINA)
    if shape == "short":
        shape = "month_minute" if local.year == clock.today().year else "day"
    return f"{local:{_SHAPES[shape]}}"


_SHAPES = {
    "minute": "%Y-%m-%d %H:%M",
    "second": "%Y-%m-%d %H:%M:%S",
    "day": "%Y-%m-%d",
    "month_minute": "%m-%d %H:%M",
}


def relative_due(at: dt.datetime) -> str:
    """Return how long is left until *at*, or for how long it has been late, in words."""
    left = at - clock.now()
    late = left < dt.timedelta(0)
    span = abs(left)
    if span < _HOUR:
        minutes = int(span.total_seconds() // 60)
        if late:
            return ngettext("%(n)d minute late", "%(n)d minutes late", minutes)
        return ngettext("%(n)d minute left", "%(n)d minutes left", minutes)
    if span < _DAY * 2:
        hours = span // _HOUR
        if late:
            return ngettext("%(n)d hour late", "%(n)d hours late", hours)
        return ngettext("%(n)d hour left", "%(n)d hours left", hours)
    days = span // _DAY
    if late:
        return ngettext("%(n)d day late", "%(n)d days late", days)
    return ngettext("%(n)d day left", "%(n)d days left", days)


def due_tone(at: dt.datetime) -> str:
    """Return ``danger`` for a moment that has passed, ``warning`` for one within 24 hours, else ``""``."""
    left = at - clock.now()
    if left < dt.timedelta(0):
        return "danger"
    return "warning" if left < SOON else ""


def tone(state: Enum | str) -> str:
    """Return the Bootstrap colour name of a state: ``warning`` waits, ``success`` is good, ``danger`` is not."""
    return _TONE_OF.get(str(state.value if isinstance(state, Enum) else state), "secondary")


def ground_words(ground: Mapping[str, str]) -> str:
    """Return what a verdict rests on, as it keeps it: the kind, and the record if it is one."""
    words = GroundKind(ground["kind"]).label
    if "record_id" not in ground:
        return words
    return f"{words} · {ground['record_id']} ({ground['platform']}, {ground['on_day']})"


def day_end(day: dt.date) -> dt.datetime:
    """Return the last second of a China day: a duty of that day is late from then on."""
    return clock.start_of_day(day + _DAY) - dt.timedelta(seconds=1)


class Named(Protocol):
    """A reference row with its name in both languages."""

    name_zh: str
    name_en: str


def named(row: Named) -> str:
    """Return the name of *row* in the language of the reader."""
    return row.name_en if current_locale() == "en" else row.name_zh


#: What a page of refusal says: heading, and what to do next (by HTTP status).
_REFUSALS = {
    400: (N_("The request was not understood"), N_("Go back, reload the page and try once more.")),
    401: (N_("Please log in"), N_("Your session has ended or you have not logged in yet. Log in to go on.")),
    403: (
        N_("This is not yours to do"),
        N_("If your work needs it, ask the administrator to widen your role or your scope. The attempt was recorded."),
    ),
    404: (
        N_("Nothing is here"),
        N_("Check the address, or look for the record in its list. Records outside your scope are not shown."),
    ),
    405: (N_("This address takes no such request"), N_("Go back and use the buttons of the page.")),
    409: (
        N_("As things stand, this cannot be done"),
        N_("Nothing was changed; another may have been faster. Go back, reload the page and look at the state."),
    ),
    413: (N_("The file is too large"), N_("Split the file and upload the parts one after the other.")),
    422: (N_("This cannot be accepted as it is"), N_("Go back, correct what the message names, and send it again.")),
    429: (N_("Too many attempts"), N_("Wait a few minutes, then try again. Repeated attempts make the wait longer.")),
    500: (
        N_("Something broke on our side"),
        N_(
            "Nothing was half done: what you sent was rolled back. Try again; "
            "if it stays, give the administrator the time and the number above."
        ),
    ),
    503: (
        N_("Not at this moment"),
        N_("Wait a minute and look whether what you sent is there already; if not, send it again."),
    ),
    507: (
        N_("No room is left"),
        N_("Nothing of what you sent was kept. Tell the administrator: the disk of the server is full."),
    ),
}


def refusal_words(status: int) -> tuple[str, str]:
    """Return the heading and the next step of the page for *status*; an unknown status reads as 400 or 500."""
    known = status if status in _REFUSALS else 500 if status >= 500 else 400  # noqa: PLR2004 - server's own errors
    heading, next_step = _REFUSALS[known]
    return translate(heading), translate(next_step)


def register_filters(app: Flask) -> None:
    """Give the templates of *app* their filters, and the words for people."""
    app.jinja_env.filters.update(
        yuan=yuan,
        china_time=china_time,
        relative_due=relative_due,
        due_tone=due_tone,
        day_end=day_end,
        days_in_words=days_in_words,
        named=named,
        sentences=reasons_in_words,
        flag_words=flag_words,
        holiday_words=holiday_words,
        tone=tone,
        ground_words=ground_words,
    )
    app.jinja_env.globals.update(_=_, ngettext=ngettext, asset_url=asset_url, refusal_words=refusal_words)
