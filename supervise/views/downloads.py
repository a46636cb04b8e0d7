"""Answer with a file: a workbook, written whole to a folder of its own, or lines as they are read."""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import AnyStr

from flask import Response, send_file, stream_with_context
from sqlalchemy.orm import Session

from reports.workbook import WorkbookFile
from supervise import db
from supervise.labels import current_locale, use_locale

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def send_workbook(name: str, build: Callable[[Path], WorkbookFile]) -> Response:
    """Return the workbook that *build* writes to a path, as a download called *name*; its SHA-256 is in a header."""
    with tempfile.TemporaryDirectory() as folder:
        made = build(Path(folder) / "workbook.xlsx")
        content = made.path.read_bytes()
    response = send_file(io.BytesIO(content), mimetype=_XLSX, as_attachment=True, download_name=name)
    response.headers["X-Content-SHA256"] = made.sha256
    return response


def send_lines(name: str, lines: Callable[[Session], Iterable[AnyStr]], *, mimetype: str = "text/csv") -> Response:
    """Return what *lines* yields as a download called *name*: one reading of the database, in this user's language."""
    locale = current_locale()

    def spoken() -> Iterator[AnyStr]:
        # They are sent after the request has put its language away.
        with use_locale(locale), db.reading() as session:
            yield from lines(session)

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(stream_with_context(spoken()), mimetype=f"{mimetype}; charset=utf-8", headers=headers)
