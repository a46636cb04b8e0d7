import io
import struct
import zipfile
from pathlib import Path

import openpyxl
import pytest

from supervise.files.media import MisnamedFileError, UnacceptedKindError, UnsafeDocumentError, sniff
from supervise.files.models import MediaType
from supervise.files.refusals import EmptyFileError

MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)
MAIL = b"From: hall@example.cn\r\nDate: Mon, 1 Jun 2026 10:00:00 +0800\r\nSubject: =?utf-8?b?562U5aSN?=\r\n\r\nYes.\r\n"


def archive(*parts: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for part in parts:
            file.writestr(part, "<x/>")
    return made.getvalue()


def workbook() -> bytes:
    made = io.BytesIO()
    openpyxl.Workbook().save(made)
    return made.getvalue()


def iso_media(brand: bytes) -> bytes:
    return struct.pack(">I4s4sI", 24, b"ftyp", brand, 0) + b"isommp42"


DOCUMENT = archive("[Content_Types].xml", "word/document.xml")

REAL = [
    ("letter.PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", MediaType.PDF),
    ("shot.png", b"\x89PNG\r\n\x1a\n" + bytes(30), MediaType.PNG),
    ("shot.jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", MediaType.JPEG),
    ("call.wav", b"RIFF\x24\x08\x00\x00WAVEfmt ", MediaType.WAV),
    ("call.mp3", b"ID3\x03\x00" + bytes(20), MediaType.MP3),
    ("untagged.mp3", MP3_FRAME, MediaType.MP3),
    ("call.amr", b"#!AMR\n\x3c\x91\x17", MediaType.AMR),
    ("call.m4a", iso_media(b"M4A "), MediaType.M4A),
    ("call.m4a", iso_media(b"mp42"), MediaType.M4A),
    ("screen.mp4", iso_media(b"isom"), MediaType.MP4),
    ("list.xlsx", workbook(), MediaType.XLSX),
    ("letter.docx", DOCUMENT, MediaType.DOCX),
    ("短信.csv", "时间,内容\n2026-06-01,套餐\n".encode("gb18030"), MediaType.CSV),
    ("note.txt", "回访：用户称未同意".encode(), MediaType.TEXT),
    ("answer.eml", MAIL, MediaType.EML),
]


@pytest.mark.parametrize(("name", "content", "kind"), REAL, ids=lambda value: value if isinstance(value, str) else "")
def test_each_accepted_kind_is_known_by_its_content(name: str, content: bytes, kind: MediaType) -> None:
    stream = io.BytesIO(content)

    assert sniff(stream, name) is kind
    assert stream.tell() == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("letter.pdf", b"\x89PNG\r\n\x1a\n" + bytes(30)),
        ("shot.png", b"%PDF-1.4\n"),
        ("call.mp3", b"RIFF\x24\x08\x00\x00WAVEfmt "),
        ("letter.docx", workbook()),
        ("list.csv", workbook()),
        ("call.wav", b"no recording, but words"),
        ("answer.eml", "只是文字".encode()),
    ],
)
def test_a_name_that_says_another_kind_than_the_content_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(MisnamedFileError):
        sniff(io.BytesIO(content), name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.exe", b"MZ\x90\x00\x03" + bytes(60)),
        ("note.txt", b"MZ\x90\x00\x03" + bytes(60)),
        ("page.txt", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("picture.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("files.zip", archive("a.txt")),
        ("list.xlsx", archive("a.txt")),
        ("list.xlsx", archive("[Content_Types].xml", "xl/workbook.xml", "word/document.xml")),
        ("list.xlsx", workbook()[:200]),
        ("note", "没有扩展名".encode()),
        ("note.txt", "一半".encode()[:-1] + b"\xff\xff"),
    ],
)
def test_whatever_is_not_accepted_is_refused_whatever_its_name(name: str, content: bytes) -> None:
    with pytest.raises(UnacceptedKindError) as refused:
        sniff(io.BytesIO(content), name)

    assert "pdf" in str(refused.value)


def test_a_document_with_macros_is_refused() -> None:
    content = archive("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin")

    with pytest.raises(UnsafeDocumentError):
        sniff(io.BytesIO(content), "list.xlsx")


def test_an_archive_whose_directory_claims_to_be_vast_is_not_opened() -> None:
    content = bytearray(workbook())
    at = content.rfind(b"PK\x05\x06")
    content[at + 12 : at + 16] = (1 << 30).to_bytes(4, "little")

    with pytest.raises(UnacceptedKindError):
        sniff(io.BytesIO(bytes(content)), "list.xlsx")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf \r\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(EmptyFileError):
        sniff(io.BytesIO(content), "note.txt")


def test_a_long_text_is_read_to_its_end(tmp_path: Path) -> None:
    long = tmp_path / "log.txt"
    long.write_bytes("短信内容\n".encode() * 300_000 + b"\x00")

    with long.open("rb") as stream, pytest.raises(UnacceptedKindError):
        sniff(stream, "log.txt")
