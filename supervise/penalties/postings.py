"""Which accounts a penalty moves at each step (domain.md section 8); families never mix."""

from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import Line
from supervise.penalties.models import Penalty, PenaltyFamily
from supervise.penalties.proposed import ProposedLine


def _dimension(penalty: Penalty | ProposedLine) -> int | None:
    return penalty.party_id if penalty.family is PenaltyFamily.EXTERNAL else penalty.unit_id


def _lines(penalty: ProposedLine, debit: AccountCode, credit: AccountCode) -> list[Line]:
    dimension_id = _dimension(penalty)
    return [Line(debit, dimension_id, penalty.amount_fen), Line(credit, dimension_id, -penalty.amount_fen)]


def approval_lines(penalty: ProposedLine) -> list[Line]:
    """Return the postings of an approved, contestable penalty."""
    if penalty.family is PenaltyFamily.EXTERNAL:
        return _lines(penalty, AccountCode.PENALTY_CONTESTABLE, AccountCode.PENALTY_DEFERRED)
    return _lines(penalty, AccountCode.ASSESSMENT_CONTESTABLE, AccountCode.ASSESSMENT_OFFSET_CONTESTABLE)


def final_lines(penalty: Penalty, amount_fen: int) -> list[Line]:
    """Return the postings of *amount_fen* that has become final: receivable against income."""
    dimension_id = _dimension(penalty)
    debit, credit = (
        (AccountCode.PENALTY_RECEIVABLE, AccountCode.PENALTY_INCOME)
        if penalty.family is PenaltyFamily.EXTERNAL
        else (AccountCode.ASSESSMENT_FINAL, AccountCode.ASSESSMENT_OFFSET)
    )
    return [Line(debit, dimension_id, amount_fen), Line(credit, dimension_id, -amount_fen)]
