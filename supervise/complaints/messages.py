"""What a marketing SMS says of itself: its 【signature】, the way to opt out, and what it is for."""

import re
import unicodedata
from typing import NamedTuple

from supervise.complaints.models import MessageClass

_SIGNATURE = re.compile(r"[【\[]\s*([^】\]]{1,40}?)\s*[】\]]")
_OPT_OUT = re.compile(r"(?:回复?|回覆|退订回?|拒收请?回?)\s*[A-Za-z0-9]{1,4}\s*(?:退订|拒收|TD)?|退订")
_CODE = re.compile(r"(?:验证码|校验码|动态密码|短信密码)")


class MessageMarks(NamedTuple):
    """What can be read off a message; None where it does not say, and a person must."""

    signature: str | None
    offers_opt_out: bool
    message_class: MessageClass | None


def read_marks(text: str) -> MessageMarks:
    """Return the marks of an SMS *text* (domain E3, E17)."""
    folded = unicodedata.normalize("NFKC", text)
    found = _SIGNATURE.search(folded)
    offers_opt_out = _OPT_OUT.search(folded) is not None
    kind: MessageClass | None = MessageClass.MARKETING if offers_opt_out else None
    if _CODE.search(folded):
        kind = MessageClass.VERIFICATION
    return MessageMarks(found[1] if found else None, offers_opt_out, kind)
