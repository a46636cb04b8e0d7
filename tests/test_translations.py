"""Every text of the source has its Chinese words, and they fit where they are shown."""

import string

from supervise.labels import DEFAULT_LOCALE, N_, _, ngettext, use_locale
from tools import catalogue


def test_every_message_of_the_source_is_translated() -> None:
    known = catalogue.read()
    missing = []
    for message in catalogue.extract():
        found = known.get(message.id, message.context) if message.id else message
        if found is None or not found.string or found.fuzzy:
            missing.append(message.id)

    assert missing == [], "run `make catalogue` and translate these"


def test_nothing_in_the_catalogue_is_guessed_or_empty() -> None:
    assert [message.id for message in catalogue.untranslated(catalogue.read())] == []


def test_the_catalogue_says_nothing_that_the_source_no_longer_says() -> None:
    said = {(message.id, message.context) for message in catalogue.extract()}

    assert [message.id for message in catalogue.read() if (message.id, message.context) not in said] == []


def test_the_places_of_a_message_are_those_of_its_translation() -> None:
    faults = [(message.id, errors) for message, errors in catalogue.read().check()]

    assert faults == []


def test_no_translation_was_left_in_english() -> None:
    # Names, units and codes stand alike in both languages; a sentence of Latin letters was forgotten.
    plain = set(string.ascii_letters + string.digits + string.punctuation + " ")
    words = {message.id: "".join(message.string or ()) for message in catalogue.read() if message.id}

    left = [identifier for identifier, text in words.items() if set(text) <= plain and len(text.split()) > 2]

    assert left == []


def test_chinese_is_what_a_user_sees_who_asks_for_nothing() -> None:
    text = N_("This has already been decided")
    known = catalogue.read().get(text)

    assert DEFAULT_LOCALE == "zh_Hans"
    assert known is not None
    assert _(text) == known.string != text
    with use_locale("en"):
        assert _(text) == text


def test_a_plural_has_one_chinese_form_and_two_english_ones() -> None:
    with use_locale("en"):
        assert ngettext("%(n)d day left", "%(n)d days left", 1) == "1 day left"
        assert ngettext("%(n)d day left", "%(n)d days left", 3) == "3 days left"
    assert ngettext("%(n)d day left", "%(n)d days left", 1) == "剩 1 天"
