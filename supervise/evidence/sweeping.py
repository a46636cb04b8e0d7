"""What killed imports leave: rows that say "reading", files that no line names, folders; and what was dropped."""

import datetime as dt
import shutil
from collections.abc import Collection, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.evidence.manifest import end_refused
from supervise.evidence.models import RecordImport, RecordImportState, RecordPartition
from supervise.evidence.refusals import BrokenOffError
from supervise.evidence.store import store_of
from supervise.evidence.warehouse import Warehouse

#: Whoever reads a file is heard of every few seconds; sorting the longest day takes minutes.
_SILENCE = dt.timedelta(minutes=30)
#: A file in place whose import commits at this moment is younger.
_COMING_IN = dt.timedelta(hours=1)
#: Whoever chose the files of a question before they were dropped still finds them: no question takes so long.
_READ_TO_THE_END = dt.timedelta(hours=1)
_UNDER_WAY = (RecordImportState.WAITING, RecordImportState.RUNNING)


def refuse_broken_imports(session: Session, living_jobs: Collection[int]) -> Sequence[int]:
    """Refuse the imports that nobody reads any more and no job will read again; return their ids."""
    before = clock.now() - _SILENCE
    silent = (
        select(RecordImport)
        .where(
            RecordImport.state.in_(_UNDER_WAY),
            RecordImport.started_at < before,
            or_(RecordImport.heartbeat_at.is_(None), RecordImport.heartbeat_at < before),
        )
        .order_by(RecordImport.id)
        .with_for_update(skip_locked=True)
    )
    broken = [batch for batch in session.scalars(silent) if batch.job_id not in living_jobs]
    for batch in broken:
        end_refused(session, batch, BrokenOffError())
    return [batch.id for batch in broken]


def sweep_records(session: Session) -> int:
    """Delete the files that no line names, an hour after they came, or whose line was dropped; return how many."""
    warehouse = Warehouse(store_of(session))
    # The files are listed first: a line that is written after that names a file that is too young to go.
    files = {path: changed for path, (_size, changed) in warehouse.sizes().items()}
    swept = _dropped(session) & files.keys()
    under_way = session.scalar(select(RecordImport.id).where(RecordImport.state == RecordImportState.RUNNING).limit(1))
    # A long import has files in place for longer than an hour before it commits.
    if under_way is None:
        old = (clock.now() - _COMING_IN).timestamp()
        named = set(session.scalars(select(RecordPartition.path).where(RecordPartition.path.is_not(None))))
        swept |= {path for path, changed in files.items() if changed < old and path not in named}
        _clear_incoming(warehouse, old)
    for path in swept:
        warehouse.delete(path)
    return len(swept)


def _dropped(session: Session) -> set[str]:
    """Return the files whose lines were dropped so long ago that nobody reads them any more."""
    query = select(RecordPartition.path).where(RecordPartition.dropped_at < clock.now() - _READ_TO_THE_END)
    return {path for path in session.scalars(query) if path is not None}


def _clear_incoming(warehouse: Warehouse, old: float) -> None:
    if warehouse.incoming.is_dir():
        for folder in warehouse.incoming.iterdir():
            if folder.stat().st_mtime < old:
                shutil.rmtree(folder, ignore_errors=True)
