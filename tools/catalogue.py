"""The texts of the source and the Chinese catalogue: collect, update, compare.

The catalogue is written sorted and without places or dates, so that two people's additions merge calmly.
"""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parent.parent
CATALOGUE = PROJECT / "supervise" / "translations" / "zh_Hans" / "LC_MESSAGES" / "messages.po"
_FOLDERS = ("supervise", "reports")
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
_KEYWORDS = {"_": None, "_l": None, "N_": None, "ngettext": (1, 2)}
_HEADER = "# Chinese (China) texts of supervise. Collected by `make catalogue`; translated by hand."


def extract() -> Catalog:
    """Return every message of the source, untranslated."""
    found = Catalog(locale="zh_Hans_CN", project="supervise", header_comment=_HEADER, fuzzy=False)
    for folder in _FOLDERS:
        texts = extract_from_dir(PROJECT / folder, _METHODS, keywords=_KEYWORDS, comment_tags=())
        for _file, _line, message, _comments, context in texts:
            found.add(message, context=context)
    return found


def read(path: Path = CATALOGUE) -> Catalog:
    """Return the catalogue as it stands."""
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans_CN")


def update(path: Path = CATALOGUE) -> Catalog:
    """Add what the source has come to say, drop what it no longer says, keep every translation."""
    found = extract()
    if path.exists():
        known = read(path)
        for message in found:
            old = known.get(message.id, message.context) if message.id else None
            if old is not None and old.string is not None:
                message.string = _in_shape(message, old.string)
    write(found, path)
    return found


def _in_shape(message: Message, text: str | tuple[str, ...] | list[str]) -> str | tuple[str, ...]:
    # A message that gained or lost its plural keeps its words: Chinese has one form.
    word = text if isinstance(text, str) else text[0]
    return (word,) if message.pluralizable else word


def write(catalogue: Catalog, path: Path = CATALOGUE) -> None:
    """Write *catalogue* sorted, without source places, so that only words show in a difference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(
            f"{_HEADER}\n"
            'msgid ""\n'
            'msgstr ""\n'
            '"Language: zh_Hans_CN\\n"\n'
            '"Plural-Forms: nplurals=1; plural=0;\\n"\n'
            '"MIME-Version: 1.0\\n"\n'
            '"Content-Type: text/plain; charset=utf-8\\n"\n'
            '"Content-Transfer-Encoding: 8bit\\n"\n\n'.encode()
        )
        write_po(file, catalogue, no_location=True, omit_header=True, sort_output=True, width=0, ignore_obsolete=True)


def untranslated(catalogue: Catalog) -> Iterator[Message]:
    """Yield each message without words, or with words that a tool only guessed."""
    for message in catalogue:
        words = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if message.id and (message.fuzzy or not all(words)):
            yield message


if __name__ == "__main__":
    missing = [message.id for message in untranslated(update())]
    print(f"{CATALOGUE.relative_to(PROJECT)}: {len(missing)} messages wait for a translation")
    for identifier in missing:
        print("  ", identifier)
