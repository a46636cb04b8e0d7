"""What an amendment changes, in words: the days to object with how they are counted, as far as it says so."""

import pytest

from supervise.complaints.models import DayType
from supervise.contracts.amendment_words import amendment_in_words
from supervise.contracts.models import ContractAmendment
from supervise.labels import use_locale


@pytest.mark.parametrize(
    ("days", "day_type", "words"),
    [
        (5, DayType.WORKING, ["5 working days to object."]),
        (1, DayType.NATURAL, ["1 calendar day to object."]),
        (9, None, ["9 days to object."]),
        (None, DayType.NATURAL, ["Days to object are counted in: Calendar days."]),
        (None, None, []),
    ],
)
def test_the_days_to_object_are_told_as_far_as_the_amendment_says(
    days: int | None, day_type: DayType | None, words: list[str]
) -> None:
    amendment = ContractAmendment(appeal_days=days, appeal_day_type=day_type)

    with use_locale("en"):
        assert amendment_in_words(amendment) == words
