"""Money is an ``int`` in fen; yuan exist only where people read and type."""

import re
from collections.abc import Sequence

FEN_PER_YUAN = 100
#: 100 million yuan: above any amount here, far inside a 64-bit integer.
FEN_MAX = 100_000_000 * FEN_PER_YUAN

# ASCII digits only: int() alone would take '1_000', full-width and Arabic digits.
_YUAN = re.compile(r"(-?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.([0-9]{1,2}))?", re.ASCII)


def parse_yuan(text: str) -> int:
    """Return the fen of a typed amount: ``'1,234.5'`` is 123450.

    Raises:
        ValueError: if *text* is not an amount with at most two decimals, or exceeds ``FEN_MAX``.
    """
    match = _YUAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an amount: {text!r}")
    sign, yuan, decimals = match.groups()
    fen = int(yuan.replace(",", "")) * FEN_PER_YUAN + int((decimals or "").ljust(2, "0"))
    if fen > FEN_MAX:
        raise ValueError(f"amount too large: {text!r}")
    return -fen if sign else fen


def format_yuan(fen: int, *, grouped: bool = True) -> str:
    """Return *fen* as yuan with two decimals: 123450 is ``1,234.50``."""
    yuan, cents = divmod(abs(fen), FEN_PER_YUAN)
    sign = "-" if fen < 0 else ""
    return f"{sign}{yuan:,}.{cents:02d}" if grouped else f"{sign}{yuan}.{cents:02d}"


def split_by_largest_remainder(total_fen: int, weights: Sequence[int]) -> list[int]:
    """Return the shares of *total_fen* (>= 0) by *weights* (>= 0, not all 0); they sum to it exactly.

    The fen left by rounding down go to the largest remainders, ties to the earlier place
    (domain 7.6: 200.00 among three is 66.67, 66.67, 66.66).

    Raises:
        ValueError: if the total or a weight is negative, or every weight is 0.
    """
    whole = sum(weights)
    if total_fen < 0 or whole <= 0 or min(weights) < 0:
        raise ValueError("shares need a total >= 0 and weights >= 0 that are not all 0")
    shares = [total_fen * weight // whole for weight in weights]
    left = total_fen - sum(shares)
    if left:
        by_remainder = sorted(range(len(weights)), key=lambda i: (-(total_fen * weights[i] % whole), i))
        for place in by_remainder[:left]:
            shares[place] += 1
    return shares


_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
#: Four digits each: units, ten thousands, hundred millions.
_SECTIONS = ("", "万", "亿")
_SECTION = 10_000


def yuan_in_capitals(fen: int) -> str:
    """Return *fen* as a Chinese document writes it, so that no digit can be changed: 120000 is ``壹仟贰佰元整``.

    Raises:
        ValueError: from a million million yuan (壹万亿) on.
    """
    yuan, cents = divmod(abs(fen), FEN_PER_YUAN)
    jiao, single = divmod(cents, 10)
    words = _integer_in_capitals(yuan) + "元" if yuan or not cents else ""
    if jiao:
        words += _DIGITS[jiao] + "角"
    elif single and yuan:
        words += _DIGITS[0]
    words += _DIGITS[single] + "分" if single else "整"
    return ("负" if fen < 0 else "") + words


def _integer_in_capitals(number: int) -> str:
    if number >= _SECTION ** len(_SECTIONS):
        raise ValueError(f"amount too large for capitals: {number}")
    if number == 0:
        return _DIGITS[0]
    words = ""
    for place in reversed(range(len(_SECTIONS))):
        section = number // _SECTION**place % _SECTION
        if section == 0:
            continue
        # One zero stands for all that were left out between two digits.
        skipped = words and (section < _SECTION // 10 or number // _SECTION ** (place + 1) % _SECTION == 0)
        words += (_DIGITS[0] if skipped else "") + _section_in_capitals(section) + _SECTIONS[place]
    return words


def _section_in_capitals(section: int) -> str:
    words, is_skipping = "", False
    for place in reversed(range(len(_PLACES))):
        digit = section // 10**place % 10
        if digit == 0:
            is_skipping = bool(words)
            continue
        words += (_DIGITS[0] if is_skipping else "") + _DIGITS[digit] + _PLACES[place]
        is_skipping = False
    return words
