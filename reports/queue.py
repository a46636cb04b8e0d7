"""The queue as a file: the rows and the words of the list, numbers masked as there."""

from reports.workbook import CellKind, Column
from supervise import clock
from supervise.desk.queue import QueueRow
from supervise.labels import N_, translate

QUEUE_COLUMNS = (
    Column[QueueRow](N_("Ticket"), lambda row: row.reference, width=20),
    Column[QueueRow](N_("Channel"), lambda row: row.channel.label),
    Column[QueueRow](N_("Number in the channel"), lambda row: row.external_ref, width=24),
    Column[QueueRow](N_("State"), lambda row: row.state.label),
    Column[QueueRow](N_("Sensitive"), lambda row: translate(N_("yes") if row.sensitive else N_("no")), width=10),
    Column[QueueRow](
        N_("Received"), lambda row: f"{row.received_at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}", width=20
    ),
    Column[QueueRow](N_("Due"), lambda row: row.due_on.isoformat(), width=12),
    Column[QueueRow](
        N_("Due date provisional"), lambda row: translate(N_("yes") if row.due_provisional else N_("no")), width=12
    ),
    Column[QueueRow](
        N_("First reply"),
        lambda row: (
            f"{row.first_replied_at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}" if row.first_replied_at else None
        ),
        width=20,
    ),
    Column[QueueRow](N_("Branch"), lambda row: row.unit, width=20),
    Column[QueueRow](N_("Subscriber (masked)"), lambda row: row.number_mask),
    Column[QueueRow](N_("Callers, three at most"), lambda row: ", ".join(row.callers), width=30),
    Column[QueueRow](N_("Calls"), lambda row: row.incidents, CellKind.INTEGER, width=8),
    Column[QueueRow](N_("Calls without a verdict"), lambda row: row.undecided, CellKind.INTEGER, width=10),
    Column[QueueRow](N_("Responsible party"), lambda row: ", ".join(row.parties), width=30),
    Column[QueueRow](N_("Party as the complainant said"), lambda row: row.claimed_party, width=24),
    Column[QueueRow](N_("Penalty (yuan)"), lambda row: row.penalties_fen, CellKind.YUAN),
    Column[QueueRow](N_("Compensation (yuan)"), lambda row: row.credits_fen, CellKind.YUAN),
)
