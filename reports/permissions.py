"""The do-not-contact register as workbook or CSV: numbers stay masked, so it is for reading, not for dialling."""

import datetime as dt

from reports.workbook import Column
from supervise import clock
from supervise.donotcall.queries import PermissionLine
from supervise.labels import N_, translate


def _moment(at: dt.datetime) -> str:
    return f"{at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"


PERMISSION_COLUMNS = (
    Column[PermissionLine](N_("Number"), lambda row: row.number_mask, width=16),
    Column[PermissionLine](N_("Refusal or consent"), lambda row: row.event.word.label),
    Column[PermissionLine](N_("Covers"), lambda row: row.event.scope.label),
    Column[PermissionLine](N_("Said at"), lambda row: _moment(row.event.said_at), width=20),
    Column[PermissionLine](N_("How it was said"), lambda row: row.event.way),
    Column[PermissionLine](N_("Party code"), lambda row: row.party_code),
    Column[PermissionLine](N_("Said to"), lambda row: row.party or translate(N_("everyone")), width=28),
    Column[PermissionLine](N_("Purpose"), lambda row: row.event.purpose, width=24),
    Column[PermissionLine](N_("Source"), lambda row: row.source, width=24),
    Column[PermissionLine](N_("Recorded"), lambda row: _moment(row.event.recorded_at), width=20),
)
