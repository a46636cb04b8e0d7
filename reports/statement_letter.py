"""The statement of a party as a letter (PDF): opening, every movement, closing; only where it equals the ledger.

The closing stands in figures and in Chinese capitals. The months, the moment and the movements give the same bytes.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from reports.letter import TONGUES, set_letter
from reports.party_statement import about_of, reason_of, statement_totals
from supervise import clock
from supervise.errors import ConflictError, InvalidInputError, NotPermittedError
from supervise.labels import N_, _, current_locale
from supervise.money import format_yuan, yuan_in_capitals
from supervise.penalties.models import PenaltyFamily
from supervise.penalties.statement import PartyStatement, StatementLine

#: About a hundred pages: who needs more takes the workbook, or fewer months.
LINES_MAX = 3_000
_TITLES = {
    PenaltyFamily.EXTERNAL: N_("Statement of account"),
    PenaltyFamily.INTERNAL: N_("Statement of internal assessments"),
}


class PartOfAccountError(NotPermittedError):
    """A branch sees some of a partner's calls: a letter would look like the partner's account."""

    message = N_("A letter is made of a whole account alone; you see a part of this one")


class LetterTooLongError(InvalidInputError):
    """A letter is read by people."""

    message = N_("A letter holds at most %(most)d movements; choose fewer months, or take the workbook")


class NotTheLedgerError(ConflictError):
    """What does not equal the ledger does not leave the house."""

    message = N_("The statement does not equal the ledger; tell the administrator")


def may_be_letter(statement: PartyStatement) -> bool:
    """Say whether there is a letter of *statement*."""
    return statement.ledger_fen == statement.closing_fen and len(statement.lines) <= LINES_MAX


def build_statement_letter(statement: PartyStatement, offence_names: Mapping[str, str], made_at: dt.datetime) -> bytes:
    """Return the PDF of *statement* in the current locale.

    Raises:
        PartOfAccountError: if it shows a part of the account.
        NotTheLedgerError: if it does not equal the ledger.
        LetterTooLongError: if it has more than ``LINES_MAX`` movements.
        LetterError: if it cannot be set as it should look.
    """
    if statement.ledger_fen is None:
        raise PartOfAccountError
    if statement.ledger_fen != statement.closing_fen:
        raise NotTheLedgerError
    if len(statement.lines) > LINES_MAX:
        raise LetterTooLongError(most=LINES_MAX)
    return set_letter("statement.typ", letter_of(statement, offence_names, made_at), dated=made_at)


def letter_of(statement: PartyStatement, offence_names: Mapping[str, str], made_at: dt.datetime) -> dict[str, Any]:
    """Return what the letter says, in the current locale."""
    language, region = TONGUES[current_locale()]
    totals = statement_totals(statement)
    return {
        "language": language,
        "region": region,
        "title": _(_TITLES[statement.family]),
        "sender": _("Compliance office"),
        "addressee": f"{statement.party.name} ({statement.party.code})",
        "months": f"{statement.first_month} – {statement.last_month}",
        "made_at": made_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M"),
        "made_on": clock.china_day(made_at).isoformat(),
        "closing": format_yuan(statement.closing_fen),
        "capitals": yuan_in_capitals(statement.closing_fen),
        "totals": [[total.name, format_yuan(total.amount_fen)] for total in totals],
        "parts": [
            [_("of which contestable"), format_yuan(statement.closing_contestable_fen)],
            [_("of which final"), format_yuan(statement.closing_final_fen)],
        ],
        "heads": [
            _("Date"),
            _("Kind of change"),
            _("Subject matter"),
            _("Contestable (yuan)"),
            _("Final (yuan)"),
            _("Owed after it (yuan)"),
        ],
        "lines": [_line(line, offence_names) for line in statement.lines],
        "words": _words(),
    }


def _words() -> dict[str, str]:
    return {
        "to": _("To:"),
        "months": _("Months:"),
        "made": _("Made at (China time):"),
        "closing": _("Closing:"),
        "yuan": _("yuan"),
        "capitals": _("In capitals:"),
        "sums": _("Sums"),
        "movements": _("Movements"),
        "nothing": _("Nothing moved in these months."),
        "ledger": _("The closing equals the carrier's ledger at the end of the last month, to the fen."),
        "answer": _("Tell us within ten working days if your books say something else."),
        "confirmed": _("Confirmed by the party (name, seal, date):"),
    }


def _line(line: StatementLine, offence_names: Mapping[str, str]) -> dict[str, str]:
    return {
        "on": line.on.isoformat(),
        "kind": line.kind.label,
        "reason": reason_of(line),
        "reference": line.reference,
        "about": about_of(line, offence_names),
        "day": line.occurred_on.isoformat() if line.occurred_on else "",
        "contestable": format_yuan(line.contestable_fen) if line.contestable_fen else "",
        "final": format_yuan(line.final_fen) if line.final_fen else "",
        "balance": format_yuan(line.balance_fen),
    }
