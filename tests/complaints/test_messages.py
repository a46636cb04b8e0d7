import pytest

from supervise.complaints.messages import read_marks
from supervise.complaints.models import MessageClass


def test_a_marketing_message_shows_its_signature_and_its_way_out() -> None:
    marks = read_marks("【某某旗舰店】双十二狂欢，满200减100 回复T退订")

    assert marks == ("某某旗舰店", True, MessageClass.MARKETING)


@pytest.mark.parametrize("text", ["拒收请回复R", "回TD退订", "回N退订", "退订回T", "回复TD"])
def test_the_usual_ways_out_are_known(text: str) -> None:
    assert read_marks(text).offers_opt_out


def test_a_code_is_no_marketing_even_with_a_way_out() -> None:
    assert read_marks("【银行】验证码123456，退订回T").message_class is MessageClass.VERIFICATION


def test_what_a_message_does_not_say_is_left_to_a_person() -> None:
    assert read_marks("您好，您的包裹已到") == (None, False, None)
