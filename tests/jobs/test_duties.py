"""What the worker does by the clock."""

import datetime as dt

import pytest
import sqlalchemy as sa
from flask import Flask

from supervise import clock, db
from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.config import Settings
from supervise.files.models import Attachment, MediaType
from supervise.jobs.duties import KEEP_EVIDENCE, purge
from supervise.jobs.surroundings import Surroundings

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


def kept_since(at: dt.datetime, name: str) -> Attachment:
    return Attachment(
        file_name=name,
        media_type=MediaType.PDF,
        sha256="ab" * 32,
        size_bytes=12,
        stored_as=name,
        source="营业厅来函",
        added_by=1,
        added_at=at,
    )


def test_evidence_whose_time_is_over_is_purged_and_the_trail_says_so(
    app: Flask, settings: Settings, keyring: Keyring
) -> None:
    day, now = dt.timedelta(days=1), clock.now()
    with app.app_context():
        with db.writing() as session:
            session.add_all(
                [kept_since(now - KEEP_EVIDENCE - day, "old"), kept_since(now - KEEP_EVIDENCE + day, "new")]
            )

        purge(Surroundings(settings.instance, keyring, settings.anchor_file))
        purge(Surroundings(settings.instance, keyring, settings.anchor_file))

        with db.reading() as session:
            purged = session.scalars(sa.select(Attachment.file_name).where(Attachment.stored_as.is_(None))).all()
            told = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "evidence.purged")).all()
    assert purged == ["old"]
    assert len(told) == 1
