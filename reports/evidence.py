"""Evidence that will soon be gone, as workbook or CSV."""

from reports.registers import day_text
from reports.workbook import CellKind, Column
from supervise import clock
from supervise.attribution.expiring import Expiring
from supervise.labels import N_, _

EXPIRING_COLUMNS = (
    Column[Expiring](N_("Incident"), lambda row: row.incident.id, CellKind.INTEGER, width=10),
    Column[Expiring](N_("Kind"), lambda row: row.incident.kind.label),
    Column[Expiring](N_("Calling number"), lambda row: row.incident.caller_number or "", width=20),
    Column[Expiring](N_("Day of the call"), lambda row: day_text(row.incident.occurred_on), width=12),
    Column[Expiring](N_("Must be kept through"), lambda row: day_text(row.expires_on), width=14),
    Column[Expiring](N_("Days left"), lambda row: row.days_left(clock.today()), CellKind.INTEGER, width=10),
    Column[Expiring](N_("Verdict"), lambda row: row.verdict.label if row.verdict else "", width=16),
    Column[Expiring](N_("Asked of"), lambda row: row.hold.asked_of if row.hold else _("nobody yet"), width=28),
)
