"""Uploads of a form on their way to the vault: told apart by their content, stored encrypted, named by no row yet."""

from collections.abc import Sequence
from typing import Any

from flask_wtf.file import MultipleFileField

from supervise.files.vault import NewFile, sniff, store_attachment, vault_folder
from supervise.views.background import surroundings


def chosen_files(field: MultipleFileField) -> list[Any]:
    """Return the files that were chosen; a browser sends an empty one for none."""
    return [file for file in field.data or () if getattr(file, "filename", "")]


def stored_files(uploads: Sequence[Any]) -> list[NewFile]:
    """Store *uploads* in the vault, outside any transaction; what no row names in the end is swept away.

    Raises:
        FileRefusedError: for one that is not kept as evidence.
    """
    around = surroundings()
    files = []
    for upload in uploads:
        media_type = sniff(upload.stream, upload.filename)
        stored = store_attachment(upload.stream, vault_folder(around.instance), around.keyring)
        files.append(NewFile(stored, upload.filename, media_type))
    return files
