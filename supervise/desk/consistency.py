"""What the subjects must agree on, beyond what the database refuses: computed again, and what does not hold named."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from sqlalchemy.orm import Session

from supervise.attribution.checks import incidents_against_tickets, verdicts_against_pointer
from supervise.compensation import checks as credits_
from supervise.complaints import checks as complaints
from supervise.evidence import checks as records
from supervise.labels import N_, _, ngettext, translate
from supervise.penalties import checks as penalties
from supervise.penalties import consequence_checks as consequences
from supervise.penalties import fine_queries as fines
from supervise.penalties import recompute
from supervise.penalties import recovery_queries as recoveries
from supervise.settlement import checks as settlement

#: So many rows of a discrepancy are named; the rest is counted.
NAMED_MAX = 5


class Check(NamedTuple):
    """One thing that must hold of a table's rows."""

    table: str
    #: A message id: what is wrong with a row that is found.
    words: str
    #: Returns the ids of the rows that do not hold.
    rows_of: Callable[[Session], Sequence[int]]


CHECKS = (
    Check("ticket", N_("its state is not that of its last step"), complaints.tickets_against_steps),
    Check(
        "incident",
        N_("tickets report it though it was merged, or neither a ticket nor a record does"),
        incidents_against_tickets,
    ),
    Check("incident_verdict", N_("is not the last verdict in force"), verdicts_against_pointer),
    Check("penalty", N_("its state is not that of its last step"), penalties.state_against_steps),
    Check("penalty", N_("what was taken off does not fit its state"), penalties.lifted_against_state),
    Check("penalty", N_("no proven finding is held for it"), penalties.charged_without_proof),
    Check("penalty", N_("it is charged though its finding is spared"), penalties.charged_though_spared),
    Check("penalty", N_("its objection was decided by its approver"), penalties.judged_by_their_approver),
    Check(
        "notice", N_("its lines are not what it says, or their window did not start"), penalties.notices_against_lines
    ),
    Check("party", N_("its penalties do not sum to what the ledger holds"), penalties.parties_against_ledger),
    Check("party", N_("its recoveries do not sum to what the ledger holds"), recoveries.recoveries_against_ledger),
    Check("regulator_fine", N_("more of it is claimed back than it is"), fines.claims_beyond_fine),
    Check("party", N_("what is claimed of fines is not what the ledger holds"), fines.claims_against_ledger),
    Check("fine_recourse", N_("what was received is not what its receipts say"), settlement.received_against_receipts),
    Check("credit", N_("more of it is recovered than its rule takes"), recoveries.recoveries_beyond_paid),
    Check("penalty", N_("its amount or rule is not that of its explanation"), recompute.explained_otherwise),
    Check("org_unit", N_("its assessments do not sum to what the ledger holds"), penalties.units_against_ledger),
    Check(
        "penalty", N_("what was collected is not what settlements and receipts say"), settlement.settled_against_lines
    ),
    Check(
        "recovery",
        N_("what was collected is not what settlements and receipts say"),
        settlement.recovered_against_lines,
    ),
    Check("penalty", N_("what others paid of it is not what settlements say"), settlement.joint_payments_against_lines),
    Check(
        "penalty", N_("what was given up is not what two supervisors approved"), settlement.written_off_against_requests
    ),
    Check("party", N_("its deposit is not what the ledger holds"), settlement.deposits_against_ledger),
    Check("party", N_("its set-offs are not what the ledger holds"), settlement.commissions_against_ledger),
    Check("party", N_("its refunds due are not what the ledger holds"), settlement.refunds_against_ledger),
    Check("settlement_run", N_("it is posted, but not for every party"), settlement.runs_against_settlements),
    Check("points_entry", N_("is not what the penalty takes or gives back"), consequences.points_against_penalties),
    Check("scorecard", N_("its score is not what its figures come to"), consequences.scores_against_figures),
    Check("credit", N_("its state is not what its line in a batch says"), credits_.credits_against_lines),
    Check("credit", N_("is not for the number that was called"), credits_.credits_against_calls),
    Check("credit_batch", N_("its lines are not those that were frozen"), credits_.batches_against_lines),
    Check("credit_batch", N_("its open lines do not sum to what the ledger holds"), credits_.batches_against_ledger),
    Check(
        "record_import", N_("its partitions do not hold as many rows as it brought"), records.imports_against_partitions
    ),
    Check("record_partition", N_("its file is missing or has another size"), records.partitions_against_files),
    Check("subscriber", N_("the credits do not sum to what the ledger holds"), credits_.subscribers_against_ledger),
)


class Discrepancy(NamedTuple):
    """Rows of one table that do not hold for one reason."""

    table: str
    #: A message id.
    words: str
    #: The first of them.
    ids: tuple[int, ...]
    total: int

    def __str__(self) -> str:
        named = ", ".join(str(row_id) for row_id in self.ids)
        more = self.total - len(self.ids)
        if more:
            named = ngettext("%(named)s and %(n)d more", "%(named)s and %(n)d more", more, named=named)
        return _("%(table)s %(rows)s: %(words)s", table=self.table, rows=named, words=translate(self.words))

    @classmethod
    def stored(cls, row: Sequence[object]) -> Self:
        """Return the discrepancy that was stored as JSON."""
        table, words, ids, total = row
        return cls(str(table), str(words), tuple(ids), int(str(total)))  # type: ignore[arg-type]


def discrepancies(session: Session) -> list[Discrepancy]:
    """Return what does not hold, in the order of ``CHECKS``; nothing, unless rows were damaged."""
    found = []
    for check in CHECKS:
        ids = check.rows_of(session)
        if ids:
            found.append(Discrepancy(check.table, check.words, tuple(ids[:NAMED_MAX]), len(ids)))
    return found
