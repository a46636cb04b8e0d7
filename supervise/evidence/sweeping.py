"""What killed imports leave behind: rows that say "reading", files that no line names, folders of what was read."""

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
    """Delete the files that no line names, or a dropped one, an hour after they came; return how many."""
    warehouse = Warehouse(store_of(session))
    old = (clock.now() - _COMING_IN).timestamp()
    # The files are listed first: a line that is written after that names a file that is too young to go.
    candidates = [path for path, (_size, changed) in warehouse.sizes().items() if changed < old]
    under_way = session.scalar(select(RecordImport.id).where(RecordImport.state == RecordImportState.RUNNING).limit(1))
    if under_way is not None:
        # A long import has files in place for longer than an hour before it commits.
        return 0
    kept = select(RecordPartition.path).where(RecordPartition.path.is_not(None), RecordPartition.dropped_at.is_(None))
    named = set(session.scalars(kept))
    swept = [path for path in candidates if path not in named]
    for path in swept:
        warehouse.delete(path)
    if warehouse.incoming.is_dir():
        for folder in warehouse.incoming.iterdir():
            if folder.stat().st_mtime < old:
                shutil.rmtree(folder, ignore_errors=True)
    return len(swept)
