"""The letter of a notice as a PDF: formal Chinese, or English for a reader of the English pages.

It says what was frozen when the notice was issued, and how and when it was delivered once that is known; what became
of its lines later stands on the page alone. The same notice gives the same bytes (docs/reports.md).
"""

from collections.abc import Mapping
from typing import Any

from reports.letter import TONGUES, set_letter
from supervise import clock
from supervise.complaints.workdays import days_in_words
from supervise.contracts.rules import parse_parameters
from supervise.contracts.words import rule_in_words
from supervise.desk.notice_story import Line, NoticeStory
from supervise.labels import N_, _, current_locale, ngettext
from supervise.money import format_yuan, yuan_in_capitals
from supervise.penalties.explain import explain_in_words
from supervise.penalties.models import PenaltyFamily

_TITLES = {
    PenaltyFamily.EXTERNAL: N_("Notice of contract damages"),
    PenaltyFamily.INTERNAL: N_("Notice of internal assessment"),
}
_SHAPES = {"day": "%Y-%m-%d", "minute": "%Y-%m-%d %H:%M", "second": "%Y-%m-%d %H:%M:%S"}


def build_notice_letter(story: NoticeStory, names: Mapping[str, str]) -> bytes:
    """Return the PDF of a notice with all its lines; *names* gives words for codes of offence types.

    Raises:
        LetterError: if it cannot be set as it should look.
    """
    return set_letter("notice.typ", letter_of(story, names), dated=story.notice.issued_at)


def letter_of(story: NoticeStory, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what the letter says, in the current locale."""
    notice = story.notice
    language, region = TONGUES[current_locale()]
    return {
        "language": language,
        "region": region,
        "title": _(_TITLES[notice.family]),
        "sender": _("Compliance office"),
        "reference": notice.reference,
        "addressee": f"{story.party.name} ({story.party.code})",
        "about": story.unit.name if story.unit is not None and story.unit.name != story.party.name else "",
        "issued_on": clock.china_day(notice.issued_at).isoformat(),
        "opening": _opening(story),
        "total": format_yuan(notice.total_fen),
        "capitals": yuan_in_capitals(notice.total_fen),
        "heads": [_("No."), _("Penalty"), _("The call"), _("Offence and evidence"), _("Charged (yuan)")],
        "lines": [_line(line, names) for line in story.lines],
        "rules": _rules(story),
        "objection": _objection(story),
        # On paper, whoever takes it signs; the supervisor who records the delivery names that.
        "needs_receipt": notice.is_on_paper,
        "content_sha256": notice.content_sha256,
        "words": {
            "to": _("To:"),
            "number": _("Notice number:"),
            "issued": _("Issued on:"),
            "total": _("Total:"),
            "yuan": _("yuan"),
            "capitals": _("In capitals:"),
            "rules": _("The rules as they stood on the days of the calls"),
            "objection": _("How to object"),
            "receipt": _("Received (name, signature, date):"),
            "content": _("SHA-256 of its content:"),
        },
    }


def _opening(story: NoticeStory) -> list[str]:
    count = story.notice.lines
    if story.notice.family is PenaltyFamily.INTERNAL:
        return [
            ngettext(
                "The offence below was proven. By the assessment policy your unit is charged with it.",
                "The %(n)d offences below were proven. By the assessment policy your unit is charged with them.",
                count,
            )
        ]
    return [
        ngettext(
            "The offence below was proven. By our contract you owe damages for it.",
            "The %(n)d offences below were proven. By our contract you owe damages for them.",
            count,
        )
    ]


def _line(line: Line, names: Mapping[str, str]) -> dict[str, Any]:
    called_at = line.incident.occurred_at.astimezone(clock.CHINA)
    return {
        "position": line.position,
        "reference": line.penalty.reference,
        "rule": f"{line.rule.code} v{line.rule.number}",
        "called_at": f"{called_at:{_SHAPES[line.incident.precision.value]}}",
        "numbers": f"{line.incident.caller_number or _('not named')} → {line.number_mask or '—'}",
        "offence": names.get(line.penalty.offence_code, line.penalty.offence_code),
        "evidence": line.evidence_note,
        "explanation": explain_in_words(line.penalty.explanation, names),
        "amount": format_yuan(line.penalty.amount_fen),
    }


def _rules(story: NoticeStory) -> list[dict[str, Any]]:
    return [
        {
            "title": f"{rule.code} v{rule.number} · {contract.number} {contract.name}",
            "words": rule_in_words(parse_parameters(rule.parameters)),
        }
        for rule, contract in story.rules
    ]


def _objection(story: NoticeStory) -> list[str]:
    notice, terms = story.notice, story.terms
    words = [
        _(
            "You can object to each line within %(period)s of the delivery of this notice, "
            "in the system or in writing, with text and files.",
            period=days_in_words(terms.appeal_days, terms.appeal_day_type),
        ),
        _("What is not objected to in time counts as accepted. A late objection is heard only if it is admitted."),
    ]
    if notice.objection_until_on is not None:
        words.append(
            _(
                "Delivered on %(day)s; the last day for an objection is %(until)s.",
                day=notice.delivered_on,
                until=notice.objection_until_on,
            )
        )
    elif notice.counts_on is not None:
        words.append(
            _("If nobody opens it before, it counts as delivered on %(day)s.", day=notice.counts_on.isoformat())
        )
    return words
