"""What an attachment really is: its content says so, and its name must agree.

Own table of signatures: the few kinds that evidence comes in, told apart by their first bytes; an archive by its
parts, a text by being one throughout. Nothing is opened or rendered here.
"""

import codecs
import re
import zipfile
import zlib
from email.parser import BytesHeaderParser
from pathlib import PurePosixPath
from typing import BinaryIO

from supervise.files.models import MediaType
from supervise.files.refusals import EmptyFileError, FileRefusedError
from supervise.labels import N_

_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 20
#: Office documents have a few hundred parts; each costs memory before its name is known.
_ENTRIES_MAX = 2_000
_DIRECTORY_BYTES_MAX = 1 << 20

#: What each kind is called by a file's name and by HTTP.
SUFFIXES = {
    ".pdf": MediaType.PDF,
    ".png": MediaType.PNG,
    ".jpg": MediaType.JPEG,
    ".jpeg": MediaType.JPEG,
    ".wav": MediaType.WAV,
    ".mp3": MediaType.MP3,
    ".amr": MediaType.AMR,
    ".m4a": MediaType.M4A,
    ".mp4": MediaType.MP4,
    ".xlsx": MediaType.XLSX,
    ".docx": MediaType.DOCX,
    ".csv": MediaType.CSV,
    ".txt": MediaType.TEXT,
    ".eml": MediaType.EML,
}
CONTENT_TYPES = {
    MediaType.PDF: "application/pdf",
    MediaType.PNG: "image/png",
    MediaType.JPEG: "image/jpeg",
    MediaType.WAV: "audio/wav",
    MediaType.MP3: "audio/mpeg",
    MediaType.AMR: "audio/amr",
    MediaType.M4A: "audio/mp4",
    MediaType.MP4: "video/mp4",
    MediaType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    MediaType.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    MediaType.CSV: "text/csv",
    MediaType.TEXT: "text/plain",
    MediaType.EML: "message/rfc822",
}

_SIGNATURES = (
    (re.compile(rb"%PDF-[0-9]\.[0-9]"), MediaType.PDF),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), MediaType.PNG),
    (re.compile(rb"\xff\xd8\xff"), MediaType.JPEG),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), MediaType.WAV),
    (re.compile(rb"#!AMR(?:-WB)?\n"), MediaType.AMR),
    (re.compile(rb"ID3[\x02-\x04]"), MediaType.MP3),
    # A frame without a tag before it: sync, MPEG 1, 2 or 2.5, layer III, a bit rate and a sampling rate that exist.
    (re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xeb]"), MediaType.MP3),
)
#: Sound and video share one container (ISO base media); recorders write either brand, so the name decides.
_ISO_MEDIA = re.compile(rb"\x00\x00..ftyp(?:isom|iso[2-9]|mp4[12]|avc1|dash|M4A |M4B |M4V |MSNV|3gp[4-7])", re.DOTALL)
_ZIP = b"PK\x03\x04"
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|table|meta|\?xml|script|svg)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BOM = b"\xef\xbb\xbf"
_TEXTS = frozenset({MediaType.TEXT, MediaType.CSV})
_MAIL_HEADERS = ("from", "date", "received", "message-id")
_MAIL_HEADERS_MIN = 2


class UnacceptedKindError(FileRefusedError):
    """Its content is nothing that is kept as evidence."""

    message = N_("This kind of file is not accepted: %(name)s. Accepted are %(kinds)s")


class MisnamedFileError(FileRefusedError):
    """Its name says one thing and its content another."""

    message = N_('The name "%(name)s" does not fit the content, which is: %(kind)s; nothing was kept')


class UnsafeDocumentError(FileRefusedError):
    """An office document that runs code, or that cannot be looked into."""

    message = N_("The document contains macros or is protected by a password; hand it in as a PDF")


def sniff(stream: BinaryIO, file_name: str) -> MediaType:
    """Return what *stream* is; it stands at its beginning before and after.

    Raises:
        EmptyFileError: for no bytes at all.
        UnacceptedKindError: for any kind that is not accepted, by content or by name.
        MisnamedFileError: if *file_name* says another kind than the content.
        UnsafeDocumentError: for an office document with macros or a password.
    """
    possible = _kinds_of(stream)
    stream.seek(0)
    declared = SUFFIXES.get(PurePosixPath(file_name.strip()).suffix.lower())
    shown = PurePosixPath(file_name.replace("\\", "/")).name[-60:]
    if not possible or declared is None:
        raise UnacceptedKindError(name=shown, kinds=", ".join(suffix.removeprefix(".") for suffix in SUFFIXES))
    if declared not in possible:
        raise MisnamedFileError(name=shown, kind=" / ".join(sorted(kind.name for kind in possible)))
    return declared


def _kinds_of(stream: BinaryIO) -> frozenset[MediaType]:
    """Return what the content may be called; nothing for what is not accepted."""
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if not head.removeprefix(_BOM).strip():
        raise EmptyFileError
    for signature, kind in _SIGNATURES:
        if signature.match(head):
            return frozenset({kind})
    if _ISO_MEDIA.match(head):
        return frozenset({MediaType.M4A, MediaType.MP4})
    if head.startswith(_ZIP):
        return _office_kind(stream)
    if _MARKUP.match(head.removeprefix(_BOM)) or not _is_text(stream):
        return frozenset()
    return _TEXTS | {MediaType.EML} if _is_mail(head) else _TEXTS


def _office_kind(stream: BinaryIO) -> frozenset[MediaType]:
    try:
        _refuse_vast_directory(stream)
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError):
        return frozenset()
    names = {entry.filename.lower() for entry in entries}
    if len(entries) > _ENTRIES_MAX or len(names) < len(entries) or "[content_types].xml" not in names:
        return frozenset()
    if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name for name in names):
        raise UnsafeDocumentError
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnsafeDocumentError
    parts = {"xl/workbook.xml": MediaType.XLSX, "word/document.xml": MediaType.DOCX}
    found = frozenset(kind for part, kind in parts.items() if part in names)
    return found if len(found) == 1 else frozenset()


def _refuse_vast_directory(stream: BinaryIO) -> None:
    """Refuse an archive whose directory alone would fill the memory: its length stands 12 bytes into the end record."""
    size = stream.seek(0, 2)
    stream.seek(max(size - 65_557, 0))
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or int.from_bytes(tail[at + 12 : at + 16], "little") > _DIRECTORY_BYTES_MAX:
        raise zipfile.BadZipFile
    stream.seek(0)


def _is_text(stream: BinaryIO) -> bool:
    """Say whether the bytes are UTF-8 or GB18030 from beginning to end, without control characters."""
    return any(_decodes(stream, encoding) for encoding in ("utf-8-sig", "gb18030"))


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            if _CONTROL.search(decoder.decode(chunk)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_mail(head: bytes) -> bool:
    headers = BytesHeaderParser().parsebytes(head.removeprefix(_BOM))
    return sum(headers[name] is not None for name in _MAIL_HEADERS) >= _MAIL_HEADERS_MIN
