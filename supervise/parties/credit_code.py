"""The unified social credit code (统一社会信用代码) and its check character, GB 32100-2015."""

import re
import unicodedata

from supervise.parties.refusals import CreditCodeError

#: Without I, O, S, V, Z, which are taken for digits or for each other.
_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SHAPE = re.compile(rf"[{_CHARACTERS}]{{18}}")


def check_character(first_17: str) -> str:
    """Return the eighteenth character: weights are powers of 3 modulo 31."""
    total = sum(_CHARACTERS.index(character) * 3**place for place, character in enumerate(first_17))
    return _CHARACTERS[-total % 31]


def normalise_credit_code(text: str) -> str:
    """Return the code in capitals, without spaces and hyphens.

    Raises:
        CreditCodeError: if it is not 18 allowed characters of which the last checks the others.
    """
    code = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper()
    if not _SHAPE.fullmatch(code) or check_character(code[:17]) != code[17]:
        raise CreditCodeError(code=text[:40])
    return code
