"""The wider CHECK on the kind of a file comes and goes under the rows of imports that are there."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.files.models import ImportBatch, ImportKind, ImportRow, RowVerdict
from supervise.schema import alembic_config
from tests.databases import opened
from tests.factories.complaints import make_import

BEFORE = "0013"


def arrange(url: str, add: Callable[[Session], None]) -> None:
    with opened(url) as database, database.session(writes=True) as session:
        add(session)


def batch_of(kind: ImportKind) -> Callable[[Session], None]:
    def add(session: Session) -> None:
        batch = make_import(session, actor_id=1)
        batch.kind = kind
        session.add(ImportRow(batch_id=batch.id, row_number=2, verdict=RowVerdict.NEW))

    return add


def test_imports_and_their_rows_stay_when_the_kinds_become_fewer_and_more(database_url: str) -> None:
    arrange(database_url, batch_of(ImportKind.COMPLAINTS))
    config = alembic_config(database_url)

    command.downgrade(config, BEFORE)
    with pytest.raises(IntegrityError):
        arrange(database_url, batch_of(ImportKind.PERMISSIONS))
    command.upgrade(config, "head")
    arrange(database_url, batch_of(ImportKind.PERMISSIONS))

    with opened(database_url) as database, database.session(writes=False) as session:
        assert session.scalars(sa.select(ImportBatch.kind).order_by(ImportBatch.id)).all() == [
            ImportKind.COMPLAINTS,
            ImportKind.PERMISSIONS,
        ]
        assert session.scalar(sa.select(sa.func.count()).select_from(ImportRow)) == 2


def test_the_older_schema_is_refused_while_a_file_of_refusals_is_kept(database_url: str) -> None:
    arrange(database_url, batch_of(ImportKind.PERMISSIONS))

    with pytest.raises(RuntimeError, match="1 imports of refusals and consents are kept"):
        command.downgrade(alembic_config(database_url), BEFORE)
