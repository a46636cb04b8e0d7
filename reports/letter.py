"""Letters as PDF/A-2b, set by typst: facts go in as JSON alone, the font comes with its package and is embedded.

The same facts give the same bytes. A font that is missing would leave blank boxes without an error, so every warning
of the typesetter is one here.
"""

import datetime as dt
import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import typst

#: Typst's language and region of a locale; they decide breaks and quotation marks.
TONGUES = {"zh_Hans": ("zh", "CN"), "en": ("en", "GB")}
_TEMPLATES = Path(__file__).parent / "letters"
_STANDARD: Final = "a-2b"
#: A compiler keeps its font book and what it has set before; it is not made for two threads at once.
_TURN = Lock()


class LetterError(RuntimeError):
    """The typesetter is not content with a template of ours: nothing is handed out."""


def set_letter(template: str, facts: Mapping[str, Any], *, dated: dt.datetime) -> bytes:
    """Return the PDF of *template* (a file of ``reports/letters``) filled with *facts*, made at the moment *dated*.

    Raises:
        LetterError: if the typesetter warns, for one of a font that it does not have.
    """
    inputs = {"letter": json.dumps(facts, ensure_ascii=False, sort_keys=True)}
    with _TURN:
        made, warnings = _compiler(template).compile_with_warnings(
            format="pdf", sys_inputs=inputs, pdf_standards=_STANDARD, timestamp=int(dated.timestamp())
        )
    if warnings or not isinstance(made, bytes):
        raise LetterError("; ".join(warning.message for warning in warnings) or f"{template} is not one document")
    return made


@cache
def _compiler(template: str) -> typst.Compiler:
    package = find_spec("manimgx_fonts_cjk")
    if package is None or package.origin is None:
        raise LetterError("the package with the Chinese font is not installed")
    return typst.Compiler(
        str(_TEMPLATES / template),
        root=str(_TEMPLATES),
        font_paths=[str(Path(package.origin).parent)],
        ignore_system_fonts=True,
    )
