"""The amounts of calls in words: how each came about, as it was stored when it was made."""

from collections.abc import Sequence
from dataclasses import dataclass

from supervise.compensation.models import Credit
from supervise.compensation.pricing import explain_in_words as explain_credit
from supervise.desk.calls import CallStory
from supervise.desk.timeline import offence_name
from supervise.penalties.explain import explain_in_words as explain_penalty


@dataclass(frozen=True)
class MoneyWords:
    """Sentences by the id of the row they explain."""

    penalties: dict[int, list[str]]
    credits: dict[int, list[str]]


def money_words(calls: Sequence[CallStory], lump_credits: Sequence[Credit] = ()) -> MoneyWords:
    """Return what explains each penalty and credit of *calls*."""
    names = {line.offence.code: offence_name(line.offence) for call in calls for line in call.findings}
    owed = [line.credit for call in calls for line in call.credits]
    return MoneyWords(
        {
            line.penalty.id: explain_penalty(line.penalty.explanation, names)
            for call in calls
            for line in call.penalties
        },
        {credit.id: explain_credit(credit.explanation) for credit in [*owed, *lump_credits]},
    )
