"""Phone numbers: normalised once, by the numbering plan that the source names; classified; masked.

China is the default plan. The plan "other" keeps digits as given: a foreign complaint file.
A Chinese number that lost its leading zero in a spreadsheet is refused, never padded.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import phonenumbers

from supervise.errors import InvalidInputError
from supervise.labels import N_, LabelledEnum

MAX_DIGITS = 20  # a 106 port with its sub-port is the longest number there is


class NumberingPlan(LabelledEnum):
    """How the digits of a source are read."""

    CHINA = "china", N_("China")
    OTHER = "other", N_("Other (digits as given)")


class NumberClass(LabelledEnum):
    """What kind of number calls or sends (domain A20, B5, D26, E1)."""

    MOBILE = "mobile", N_("Mobile")
    LANDLINE = "landline", N_("Landline")
    SERVICE_95 = "service_95", N_("95 number")
    SERVICE_96 = "service_96", N_("96 number")
    SERVICE_400 = "service_400", N_("400 number")
    PORT_106 = "port_106", N_("106 SMS port")
    VIRTUAL = "virtual", N_("Virtual operator")
    OFFICIAL = "official", N_("Official or hotline")
    OTHER = "other", N_("Other")


class PhoneError(InvalidInputError):
    """The text is no phone number of its plan; the message says which digit is wrong and why."""

    message = N_("This is not a phone number")


# First match wins: short official numbers before the classes they would also fit.
_CHINA_CLASSES = (
    (re.compile(r"1(?:00|1|2)\d{1,3}"), NumberClass.OFFICIAL),
    (re.compile(r"1(?:65|67|62|70|71)\d{8}"), NumberClass.VIRTUAL),
    (re.compile(r"1[3-9]\d{9}"), NumberClass.MOBILE),
    (re.compile(r"95\d{3,6}"), NumberClass.SERVICE_95),
    (re.compile(r"96\d{3,6}"), NumberClass.SERVICE_96),
    (re.compile(r"[48]00\d{7}"), NumberClass.SERVICE_400),
    (re.compile(r"106\d{2,17}"), NumberClass.PORT_106),
    (re.compile(r"0\d{9,11}"), NumberClass.LANDLINE),
)
_SEPARATORS = re.compile(r"[\s\-‐‑–—()./·]+")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def normalise(text: str, plan: NumberingPlan = NumberingPlan.CHINA) -> str:
    """Return the digits of *text* without separators and without China's country code.

    Raises:
        PhoneError: for text that is no number of *plan*, with the reason.
    """
    folded = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))
    if re.fullmatch(r"[0-9.]+[eE]\+?[0-9]+", folded):
        raise PhoneError(N_("A spreadsheet has rounded this number (%(text)s); its digits are lost"), text=text)
    digits = folded.removeprefix("+")
    if not _DIGITS.fullmatch(digits):
        raise PhoneError(N_("A phone number has digits only: %(text)s"), text=text[:40])
    if len(digits) > MAX_DIGITS:
        raise PhoneError(N_("A phone number has at most %(limit)d digits"), limit=MAX_DIGITS)
    if plan is NumberingPlan.OTHER:
        return digits
    return _normalise_china(digits, international=folded.startswith("+"))


def _normalise_china(digits: str, *, international: bool) -> str:
    digits = _without_country_code(digits, international=international)
    kind = classify(digits)
    if kind is NumberClass.OTHER:
        raise PhoneError(_why_not_chinese(digits), digits=digits)
    if kind is NumberClass.LANDLINE and not _is_landline(digits):
        raise PhoneError(N_("No area code in China begins like %(digits)s"), digits=digits)
    return digits


def _without_country_code(digits: str, *, international: bool) -> str:
    if digits.startswith("0086"):
        digits, international = digits.removeprefix("0086"), True
    elif international:
        if not digits.startswith("86"):
            raise PhoneError(N_("This number is not from China: +%(digits)s"), digits=digits)
        digits = digits.removeprefix("86")
    elif re.fullmatch(r"861[3-9]\d{9}", digits):
        return digits.removeprefix("86")
    # Abroad a landline is dialled without its trunk 0; the country code proves that nothing was lost.
    if international and classify(digits) is NumberClass.OTHER and _is_landline("0" + digits):
        return "0" + digits
    return digits


def _is_landline(digits: str) -> bool:
    number = phonenumbers.PhoneNumber(country_code=86, national_number=int(digits.removeprefix("0")))
    return phonenumbers.is_possible_number(number) and len(digits) <= 12  # noqa: PLR2004 - 0 + 3 + 8 digits


def _why_not_chinese(digits: str) -> str:
    if re.fullmatch(r"1[3-9]\d{8}", digits):
        return N_("%(digits)s seems to be a mobile number with a digit missing")
    if 9 <= len(digits) <= 11 and _is_landline("0" + digits):  # noqa: PLR2004 - a landline less its 0
        return N_("%(digits)s seems to be a landline that lost its leading zero; give it with the zero")
    if 7 <= len(digits) <= 8:  # noqa: PLR2004 - a local number
        return N_("%(digits)s has no area code")
    return N_("%(digits)s is not a number of the Chinese plan")


def classify(digits: str) -> NumberClass:
    """Return the class of normalised Chinese *digits*; what fits nowhere is OTHER."""
    for pattern, kind in _CHINA_CLASSES:
        if pattern.fullmatch(digits):
            return kind
    return NumberClass.OTHER


def mask(digits: str) -> str:
    """Return *digits* with the middle hidden: ``138****8000``; short service numbers stay whole."""
    if len(digits) <= 6:  # noqa: PLR2004 - 10086, 95588: service numbers, nobody's own
        return digits
    if len(digits) < 11:  # noqa: PLR2004 - an 11-digit mobile shows three and four digits
        return f"{digits[:2]}****{digits[-2:]}"
    return f"{digits[:3]}****{digits[-4:]}"


# How people break a number up: the separators of ``normalise`` and what a text adds, no comma (a list of amounts).
_GAP = r"[\s" + "\u200b-\u200d\ufeff" + r"\-‐‑–—―－_()（）./·•]"
#: A mobile number in the usual groups, or digit by digit; a landline with or without its brackets and hyphens.
_WRITTEN = "".join(
    rf"""
        (?:(?:\+|00)?86{_GAP}{{0,2}})?
        1[3-9][0-9](?:{_GAP}{{0,2}}[0-9]{{4}}{_GAP}{{0,2}}[0-9]{{4}}
            |{_GAP}{{1,2}}[0-9]{{3}}{_GAP}{{1,2}}(?:[0-9]{{5}}|[0-9]{{3}}{_GAP}{{1,2}}[0-9]{{2}}))
        |1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}
        |(?:0|(?:\+|00)86{_GAP}{{0,2}}0?)[1-9][0-9]{{1,2}}{_GAP}{{0,3}}[0-9]{{3,4}}{_GAP}{{0,2}}[0-9]{{4}}
    """.split()
)
_IN_TEXT = re.compile(rf"(?<![0-9])(?:{_WRITTEN})(?![0-9])")


#: The shortest number in a text, a landline, has ten digits: a text with fewer, as most are, is not searched.
_TEN_DIGITS = re.compile(r"(?:[^0-9]*+[0-9]){10}")
_WIDE_DIGIT = re.compile("[０-９]")
_FULL_WIDTH = {ord(wide): str(digit) for digit, wide in enumerate("０１２３４５６７８９")}


#: A text that is nothing but a number of some other plan, digits as given; a date has fewer, an order more.
_ALONE = r"\+?[0-9](?:[ ()-]?[0-9]){9,11}"
_ONLY_A_NUMBER = re.compile(_ALONE)
#: Found in every text that ``replace_in_text`` would change or ``is_only_a_number`` be true of, and in few others:
#: for engines that search millions of texts at once, and know no look-around (RE2).
MAYBE_A_NUMBER = rf"(?:^|[^0-9])(?:{_WRITTEN})(?:[^0-9]|$)|^[\s]*{_ALONE}[\s]*$|[０-９]".replace(
    # Its own class of spaces is that of ASCII.
    r"[\s",
    r"[\s\v\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}",
)


class Split(NamedTuple):
    """A text without its numbers, and their digits."""

    words: str
    numbers: tuple[str, ...]


def mask_in_text(text: str) -> str:
    """Return free *text* with every subscriber-like number in it masked."""
    return replace_in_text(text, lambda written: mask(re.sub(r"\D", "", written)))


def replace_in_text(text: str, change: Callable[[str], str]) -> str:
    """Return free *text*, where *change* gives what stands for each subscriber-like number, as it was written."""
    folded = text.translate(_FULL_WIDTH) if _WIDE_DIGIT.search(text) else text
    if not _TEN_DIGITS.match(folded):
        return folded
    return _IN_TEXT.sub(lambda found: change(found[0]), folded)


def is_only_a_number(text: str) -> bool:
    """Say whether *text* is nothing but a number, of whatever plan."""
    return _ONLY_A_NUMBER.fullmatch(text.translate(_FULL_WIDTH).strip()) is not None


def split_numbers(text: str) -> Split:
    """Return what is searched for in *text*: its words, and apart from them the numbers, normalised."""
    if is_only_a_number(text):
        return Split("", (_digits_of(text),))
    numbers: list[str] = []

    def take(written: str) -> str:
        numbers.append(_digits_of(written))
        return " "

    return Split(replace_in_text(text, take).strip(), tuple(dict.fromkeys(numbers)))


def _digits_of(written: str) -> str:
    try:
        return normalise(written)
    except PhoneError:
        # No number of the Chinese plan: the digits as given.
        return re.sub(r"\D", "", unicodedata.normalize("NFKC", written))
