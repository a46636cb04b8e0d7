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
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total_fen * weights[i] % whole), i))
    for place in by_remainder[: total_fen - sum(shares)]:
        shares[place] += 1
    return shares
