"""Taking over a file of records: read, checked, keyed, set down by day, compared, sorted, and shown at once or not.

Whoever is killed half-way leaves nothing that can be seen; the import is then done again from the start.
"""

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple

from supervise import clock, db
from supervise.cipher import Keyring
from supervise.errors import RefusalError
from supervise.evidence.engine import DuckDBEngine
from supervise.evidence.manifest import (
    ComparedTooEarlyError,
    Place,
    Prepared,
    Started,
    beat,
    commit_import,
    current_partitions,
    refuse_import,
    refuse_known_file,
    start_import,
)
from supervise.evidence.partitions import PartitionWriter, Spilt, Written
from supervise.evidence.reading import RecordFile, ahead, open_records
from supervise.evidence.record_types import RECORD_TYPES
from supervise.evidence.refusals import NoGoodRowsError, NoRowsError
from supervise.evidence.rows import KeyedBatch, Refused, RowReader
from supervise.evidence.store import store_of
from supervise.evidence.warehouse import Warehouse

#: ``progress(steps_done, steps_total)``, called as often as one likes.
Progress = Callable[[int, int], None]

#: Steps of the whole: reading takes most of the time, writing the rest.
STEPS = 1_000
_READING_STEPS = 700
_CHUNK_BYTES = 1 << 20
_BEAT_EVERY = dt.timedelta(seconds=10)
_ATTEMPTS = 20
#: What DuckDB may take to compare and to sort; a longer day is sorted on the disk.
_MEMORY = "256MB"
#: Partitions written side by side: the writing of one keeps one core busy.
_WRITERS = 2


class _Read(NamedTuple):
    """What reading the file to its end has told."""

    sha256: str
    rows_total: int
    refused: Refused


def run_import(keyring: Keyring, import_id: int, file: BinaryIO, progress: Progress) -> None:
    """Take over *file* (a real file, plain bytes) as the import *import_id*; a committed one is left as it is.

    Raises:
        RefusalError: a subclass with the reason; it stands in the import's row, and nothing was taken over.
    """
    started = db.decide(start_import, import_id)
    if started is None:
        return
    run = _Run(started, keyring, progress)
    try:
        run.take_over(file)
    except RefusalError as error:
        run.clear_away()
        db.decide(refuse_import, started, error, sha256=run.sha256, rows_total=run.rows_total, refused=run.refused)
        raise


class _Run:
    """One run of an import, from the first byte to the commit."""

    def __init__(self, started: Started, keyring: Keyring, progress: Progress) -> None:
        self._started = started
        self._keyring = keyring
        self._progress = progress
        self._beaten_at = clock.now()
        self._kind_of = RECORD_TYPES[started.kind]
        self._placed: list[str] = []
        with db.reading() as session:
            self._warehouse = Warehouse(store_of(session))
        self.sha256: str | None = None
        self.rows_total = 0
        #: Only where the rows are the reason why the whole file is refused.
        self.refused: Refused | None = None

    def take_over(self, file: BinaryIO) -> None:
        """Read, write and commit."""
        self.sha256 = _digest(file)
        with db.reading() as session:
            refuse_known_file(session, self._started.kind, self.sha256, corrects=self._started.corrects)
        name = f"{self._started.import_id}-{self._started.version}"
        with self._warehouse.scratch(name) as scratch:
            writer = PartitionWriter(
                self._kind_of, self._warehouse, scratch, DuckDBEngine(scratch, memory=_MEMORY), self._started.import_id
            )
            read = self._read(file, self.sha256, writer)
            codes = {one.source_id: one.code for one in self._started.allowed.platforms.values()}
            spilt = {(one.source_id, one.on_day): one for one in writer.spilt(codes)}
            self._commit(writer, spilt, read)
        self._tell(STEPS)

    def clear_away(self) -> None:
        """Delete the files that were in place when the import was refused; what a kill leaves is swept later."""
        for path in self._placed:
            self._warehouse.delete(path)
        self._placed.clear()

    def _read(self, file: BinaryIO, sha256: str, writer: PartitionWriter) -> _Read:
        allowed = self._started.allowed
        with open_records(file, self._kind_of, needs_platform=allowed.only is None) as opened:
            rows = RowReader(self._kind_of, allowed, opened, self._keyring)
            batches = (self._passed(batch, opened) for batch in ahead(rows.keyed(opened.batches)))
            writer.spill(rows.good_rows(batches))
        self.rows_total, refused = rows.rows_read, rows.refused()
        if not self.rows_total and (allowed.only is None or allowed.covers is None):
            raise NoRowsError
        if self.rows_total and self.rows_total == refused.rows:
            self.refused = refused
            raise NoGoodRowsError(rows=refused.rows)
        return _Read(sha256, self.rows_total, refused)

    def _passed(self, batch: KeyedBatch, opened: RecordFile) -> KeyedBatch:
        if opened.size:
            self._tell(_READING_STEPS * min(batch.raw.position, opened.size) // opened.size)
        return batch

    def _commit(self, writer: PartitionWriter, spilt: dict[Place, Spilt], read: _Read) -> None:
        """Write the partitions and commit; those are written again that another import changed meanwhile."""
        written: dict[Place, Written] = {}
        compared: dict[Place, frozenset[int]] = {}
        due = list(spilt)
        for _attempt in range(_ATTEMPTS):
            with db.reading() as session:
                current = {} if self._started.corrects else current_partitions(session, due)
            compared |= {place: frozenset(row_id for row_id, _path in current.get(place, ())) for place in due}
            existing = [[path for _id, path in current.get(place, ()) if path is not None] for place in due]
            with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
                for place, one in zip(due, pool.map(writer.write, map(spilt.__getitem__, due), existing), strict=True):
                    written[place] = one
                    self._placed += [one.path] if one.path is not None else []
                    self._tell(_READING_STEPS + (STEPS - _READING_STEPS) * len(written) // (len(spilt) + 1))
            prepared = Prepared(read.sha256, read.rows_total, read.refused, list(written.values()), compared)
            try:
                db.decide(commit_import, self._started, prepared)
            except ComparedTooEarlyError as error:
                due = list(error.places)
            else:
                return
        raise db.BusyError

    def _tell(self, steps: int) -> None:
        self._progress(steps, STEPS)
        now = clock.now()
        if now - self._beaten_at > _BEAT_EVERY:
            self._beaten_at = now
            db.decide_if_free(beat, self._started.import_id, self._started.version)


def _digest(file: BinaryIO) -> str:
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
