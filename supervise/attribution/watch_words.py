"""What a threshold says, in words."""

from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watch_thresholds import SHAPES, Shape, ThresholdRow
from supervise.labels import N_, _, ngettext

_MINUTES = 60


def figures_in_words(row: ThresholdRow) -> str:
    """Return the figures of a threshold: ``more than 100,000``, ``09:00 to 21:00``."""
    shape, value = SHAPES[row.kind], row.value or 0
    if shape is Shape.HOURS:
        return _("%(first)s to %(end)s", first=clock_time(row.from_minute or 0), end=clock_time(row.to_minute or 0))
    if shape is Shape.COUNT_WITHIN_DAYS:
        return _("%(n)d or more within %(days)d days", n=value, days=row.within_days or 0)
    if shape is Shape.PER_CENT:
        return _("at least %(n)d%%", n=value)
    if shape is Shape.DAYS:
        return ngettext("%(n)d day", "%(n)d days", value)
    if shape is Shape.SECONDS:
        return ngettext("%(n)d second", "%(n)d seconds", value)
    return _("more than %(n)s", n=f"{value:,}")


def clock_time(minute: int) -> str:
    """Return a minute of the day as a clock shows it; the end of the day is ``24:00``."""
    return f"{minute // _MINUTES:02d}:{minute % _MINUTES:02d}"


#: What finding more, or less, than the figure means.
MEANINGS = {
    WatchKind.CALL_HOURS: N_("A call outside these hours is suspected"),
    WatchKind.CALLS_PER_SUBSCRIBER: N_("More calls of one party to one subscriber on a day are suspected"),
    WatchKind.DIALS_PER_STAFF: N_("More calls dialled by one staff number in an hour are suspected"),
    WatchKind.CALLS_PER_NUMBER: N_("More calls from one number in an hour are a burst"),
    WatchKind.SMS_PER_SUBSCRIBER: N_("More messages of one sender to one subscriber on a day are a burst"),
    WatchKind.SMS_PER_PORT: N_("More messages of one port on a day are suspected"),
    WatchKind.RECORDING_COVERAGE: N_("Less of a party's calls with a recording on a day is suspected"),
    WatchKind.QC_COVERAGE: N_("Less of a party's calls with a quality check on a day is suspected"),
    WatchKind.ORDER_TRACE: N_("An order within this time after a call shows who sold"),
    WatchKind.MATCH_TOLERANCE: N_("A reported call and a record this far apart may be the same call"),
    WatchKind.CLOCK_DRIFT: N_("A platform's clock may be wrong by so much"),
    WatchKind.NUMBER_ROTATION: N_("So many numbers of one party calling one subscriber are rotation"),
    WatchKind.NUMBER_PATTERN: N_("So many confirmed incidents of one number are a pattern"),
}
