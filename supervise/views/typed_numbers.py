"""Full numbers that people type into a search: an address holds a token of each, which this system alone can read.

An address is kept by the browser, by proxies, in saved views and in mails; a subscriber's number is personal. The token
is the number as it was typed, encrypted for the field it was typed into; a page that reads it shows it masked.
"""

import base64
import re

from flask import request

from supervise import phone
from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.views.settings import current_keyring

_CONTEXT = "address.number"
_TOKEN = re.compile(r"~([A-Za-z0-9_-]{40,200})~")
#: The free text of a search: here a number of another plan than China's is one too.
_WORDS = "q"


class UnreadableNumberError(InvalidInputError):
    """A token that was changed, or made with other keys."""

    message = N_("This address holds a number that cannot be read any more; search for it once more")


def hide_numbers(text: str, field: str) -> str:
    """Return *text*, typed into *field*, with a token in the place of every number; tokens stay as they are."""
    if field == _WORDS and phone.is_only_a_number(text):
        return _token(text.strip(), field)
    pieces, place = [], 0
    for token in _TOKEN.finditer(text):
        pieces += [_hidden(text[place : token.start()], field), token[0]]
        place = token.end()
    return "".join([*pieces, _hidden(text[place:], field)])


def read_numbers(text: str, field: str) -> str:
    """Return *text* of *field* in an address with the numbers themselves: for a query, never for a page.

    Raises:
        UnreadableNumberError: if a token is none of ours, or another field's.
    """
    return _TOKEN.sub(lambda token: _number(token, field), text)


def masked(text: str, field: str) -> str:
    """Return *text* of *field* in an address as a page may show it."""
    return phone.mask_in_text(_TOKEN.sub(lambda token: _mask(token, field), text))


def hide_again(text: str, before: str, field: str) -> str:
    """Return *text* that a user sent back in *field*, with the tokens of *before* where the page showed masks."""
    for token in _TOKEN.finditer(before):
        text = text.replace(_mask(token, field), token[0], 1)
    return text


def asked(name: str) -> str:
    """Return the argument *name* of this request's address with the numbers themselves; empty without it."""
    return read_numbers(request.args.get(name, ""), name)


def _hidden(text: str, field: str) -> str:
    return phone.replace_in_text(text, lambda written: _token(written, field))


def _token(number: str, field: str) -> str:
    sealed = current_keyring().encrypt(number, _CONTEXT, field)
    return f"~{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}~"


def _number(token: re.Match[str], field: str) -> str:
    sealed = token[1] + "=" * (-len(token[1]) % 4)
    try:
        return current_keyring().decrypt(base64.urlsafe_b64decode(sealed), _CONTEXT, field)
    except ValueError:
        raise UnreadableNumberError from None


def _mask(token: re.Match[str], field: str) -> str:
    [digits] = phone.split_numbers(_number(token, field)).numbers
    return phone.mask(digits)
