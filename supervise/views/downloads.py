"""Answer with a workbook: written whole to a folder of its own, sent, and gone."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from flask import Response, send_file

from reports.workbook import WorkbookFile

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def send_workbook(name: str, build: Callable[[Path], WorkbookFile]) -> Response:
    """Return the workbook that *build* writes to a path, as a download called *name*; its SHA-256 is in a header."""
    with tempfile.TemporaryDirectory() as folder:
        made = build(Path(folder) / "workbook.xlsx")
        content = made.path.read_bytes()
    response = send_file(io.BytesIO(content), mimetype=_XLSX, as_attachment=True, download_name=name)
    response.headers["X-Content-SHA256"] = made.sha256
    return response
