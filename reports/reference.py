"""The reference rows that intake goes by, as workbook or CSV: deadlines, working days, kinds of offence."""

from reports.registers import day_text, yes_or_no
from reports.workbook import CellKind, Column
from supervise.attribution.watch_thresholds import ThresholdRow
from supervise.attribution.watch_words import figures_in_words
from supervise.complaints.models import CalendarDay, OffenceType
from supervise.complaints.queries import DeadlineRow
from supervise.complaints.workdays import HOLIDAYS
from supervise.labels import N_, _, translate


def _holiday(note: str | None) -> str:
    return translate(note) if note in HOLIDAYS else note or ""


DEADLINE_COLUMNS = (
    Column[DeadlineRow](
        N_("Channel"),
        lambda row: row.rule.channel.label if row.rule.channel else _("Every channel without a rule of its own"),
        width=24,
    ),
    Column[DeadlineRow](N_("Region"), lambda row: row.unit_name or _("Everywhere"), width=24),
    Column[DeadlineRow](N_("Days"), lambda row: row.rule.days, CellKind.INTEGER, width=8),
    Column[DeadlineRow](N_("Kind of days"), lambda row: row.rule.day_type.label, width=14),
    Column[DeadlineRow](N_("Valid from"), lambda row: day_text(row.rule.valid_from), width=12),
    Column[DeadlineRow](N_("Valid until"), lambda row: day_text(row.rule.valid_to), width=12),
    Column[DeadlineRow](N_("Source"), lambda row: row.rule.source, width=48),
)
OFFENCE_COLUMNS = (
    Column[OffenceType](N_("Class of offence"), lambda row: row.family),
    Column[OffenceType](N_("Code"), lambda row: row.code, width=24),
    Column[OffenceType](N_("Name in Chinese"), lambda row: row.name_zh, width=28),
    Column[OffenceType](N_("Name in English"), lambda row: row.name_en, width=36),
    Column[OffenceType](N_("Legal basis"), lambda row: row.legal_basis, width=48),
    Column[OffenceType](N_("Valid from"), lambda row: day_text(row.valid_from), width=12),
    Column[OffenceType](N_("Valid until"), lambda row: day_text(row.valid_to), width=12),
)
THRESHOLD_COLUMNS = (
    Column[ThresholdRow](N_("Threshold"), lambda row: row.kind.label, width=36),
    Column[ThresholdRow](N_("Figure"), figures_in_words, width=24),
    Column[ThresholdRow](N_("Valid from"), lambda row: day_text(row.valid_from), width=12),
    Column[ThresholdRow](N_("Valid until"), lambda row: day_text(row.valid_to), width=12),
    Column[ThresholdRow](N_("Legal basis"), lambda row: row.legal_note, width=64),
)
CALENDAR_COLUMNS = (
    Column[CalendarDay](N_("Day"), lambda row: day_text(row.day), width=12),
    Column[CalendarDay](N_("Working day"), lambda row: yes_or_no(row.is_working), width=10),
    Column[CalendarDay](N_("Why"), lambda row: _holiday(row.note), width=32),
)
