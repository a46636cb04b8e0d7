"""What tests of the import ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from supervise import db
from supervise.cipher import Keyring
from supervise.evidence.models import RecordKind
from tests.evidence.record_files import Importer
from tests.factories.records import make_source


@pytest.fixture
def importer(app: Flask, keyring: Keyring, tmp_path: Path) -> Iterator[Importer]:
    """An application with a platform for each kind of record."""
    with app.app_context():
        with db.writing() as session:
            make_source(session, code="crm", kind=RecordKind.CALLS)
            make_source(session, code="smsc", kind=RecordKind.MESSAGES)
            make_source(session, code="boss", kind=RecordKind.ORDERS)
            make_source(session, code="qc", kind=RecordKind.QUALITY)
        yield Importer(keyring, tmp_path)
