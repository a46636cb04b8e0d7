"""The queue between a page and the worker: huey carries job ids; what a job is stands in our own table.

Huey has a file of its own beside an SQLite database, and tables of its own in a PostgreSQL one.
"""

import datetime as dt
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import structlog
from huey import PostgresHuey, SqliteHuey, crontab
from huey.api import Huey, Task
from huey.signals import SIGNAL_ERROR
from sqlalchemy.engine import make_url

from supervise import clock, db
from supervise.config import ConfigError, first_line
from supervise.errors import RefusalError
from supervise.jobs import records
from supervise.jobs.duties import DUTIES, Duty
from supervise.jobs.kinds import KINDS
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_

_log = structlog.get_logger(__name__)


class UnforeseenError(RefusalError):
    """The program has a fault; the log has the details."""

    status = 500
    message = N_(
        "Something went wrong that should not have; the step under way was undone whole. Tell your administrator"
    )


class JobQueue:
    """One application's queue: web processes wake it, one worker runs it.

    *in_context* opens an application context: everything a job reads and writes needs one.
    """

    def __init__(
        self,
        database_url: str,
        surroundings: Surroundings,
        in_context: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._surroundings = surroundings
        self._in_context = in_context
        self.huey = _huey(database_url, surroundings.instance)
        self._run = self.huey.task(name="run_job")(self.run)
        self.huey.signal(SIGNAL_ERROR)(self._broke)
        self.huey.periodic_task(crontab(minute="*"), name="requeue")(self.requeue)
        for duty in DUTIES:
            self.huey.periodic_task(duty.schedule, name=duty.name)(self._performer(duty))

    def wake(self, job_id: int) -> None:
        """Call the worker to a job that is committed; a lost call is made up for within a minute."""
        try:
            self._run(job_id)
        except (psycopg.Error, sqlite3.Error) as error:
            # The job's row is committed: who asked for it must not be told otherwise.
            _log.warning("worker not woken", job=job_id, error=type(error).__name__)

    def run(self, job_id: int) -> None:
        """Run a job to its end in this process; a job that somebody else has is left alone."""
        with self._in_context():
            claimed = db.decide(records.claim_job, job_id)
            if claimed is None:
                return
            refusal = outcome = None
            try:
                work = KINDS[claimed.kind]
                outcome = work(self._surroundings, records.beat(job_id), claimed.actor_id, **claimed.arguments)
            except RefusalError as error:
                refusal = error
            db.decide(records.finish_job, job_id, refusal, outcome)

    def _broke(self, _signal: str, task: Task, error: Exception | None = None) -> None:
        """Fail a job that ended with an error nobody foresaw: its transaction is undone, its page says so."""
        _log.error("job broke", task=task.name, arguments=task.args, exc_info=error)
        if task.name == "run_job":
            with self._in_context():
                db.decide(records.finish_job, task.args[0], UnforeseenError())

    def requeue(self) -> None:
        """Wake what a dead worker or a lost call left behind."""
        with self._in_context():
            for job_id in db.decide(records.requeue_lost_jobs):
                self.wake(job_id)

    def _performer(self, duty: Duty) -> Callable[[], None]:
        def perform() -> None:
            with self._in_context():
                started = clock.now()
                duty.perform(self._surroundings)
                _log.info("duty done", duty=duty.name, seconds=(clock.now() - started) / dt.timedelta(seconds=1))

        return perform

    def work(self, workers: int = 1) -> None:
        """Run the worker until it is told to stop; what a killed one left behind is taken up at once."""
        with self._in_context():
            if db.current().dialect == "sqlite":
                # One host, one worker: whatever still says "running" was left by a worker that is gone.
                db.decide(records.silence_running_jobs)
        self.requeue()
        self.huey.create_consumer(workers=workers, periodic=True, check_worker_health=True).run()


def create_queue_tables(database_url: str) -> None:
    """Make huey's own tables in a PostgreSQL database, where they are missing.

    A role that may not create tables starts the application only if the owner's ``migrate`` has made them.

    Raises:
        ConfigError: if the database cannot be reached, or the role may not create tables.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "postgresql":
        return
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(dsn) as connection:
            # "create table if not exists" asks for the right to create even where there is nothing to create.
            found = connection.execute("SELECT to_regclass('huey_task'), to_regclass('huey_counter')").fetchone()
        if found is None or None in found:
            PostgresHuey("supervise", dsn=dsn, results=False).storage.close()
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigError("the job queue has no tables: run `make migrate` as the owner of the database") from error
    except psycopg.Error as error:
        raise ConfigError(f"the database cannot be used: {first_line(error)}") from error


def _huey(database_url: str, instance: Path) -> Huey:
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        create_queue_tables(database_url)
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return PostgresHuey("supervise", dsn=dsn, results=False, create_tables=False)
    # Never the application's own file: the queue's writes would wait behind an import's.
    return SqliteHuey("supervise", filename=str(instance / "jobs.sqlite3"), results=False, timeout=15)
