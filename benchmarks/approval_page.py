"""The approver's page with 2,000 proposals against the app's static page: fifty fixed rows through the same frame.

First page (a hundred lines with their explanations, sums by party and rule), one party's, and a deep page, asked for
by a signed-in supervisor as a browser asks. Aim: within three times the static page.
Run: ``python -m benchmarks.approval_page`` from the checkout.
"""

import multiprocessing
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from benchmarks import approval
from benchmarks.work_queue import add_static_page, browser, log_into, p50
from supervise.app import create_app
from supervise.config import Settings
from supervise.penalties.models import Penalty
from supervise.penalties.propose import propose_penalties
from supervise.penalties.waiting import waiting_penalties
from tests.databases import clone_sqlite, migrate, opened, postgres_server
from tests.factories.complaints import KEYRING
from tests.factories.penalties import make_supervisor

PROPOSALS = 2_000


def make(url: str) -> int:
    """Propose the penalties, and return who will approve them."""
    with opened(url) as database:
        with database.session(writes=True) as session:
            approval.prove(session, approval.make_world(session), PROPOSALS)
            supervisor_id = make_supervisor(session).id
        with database.session(writes=True) as session:
            propose_penalties(session, range(1, PROPOSALS + 1), actor_id=approval.MAKER)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # What a running database does by itself soon after.
            connection.exec_driver_sql("ANALYZE" if database.dialect == "sqlite" else "VACUUM ANALYZE")
    return supervisor_id


def pages(url: str, supervisor_id: int) -> Iterator[tuple[str, str]]:
    """Yield names and addresses; the deep page is found by its place, as one who walked there has it."""
    with opened(url) as database, database.session(writes=False) as session:
        party_id = session.scalars(sa.select(sa.func.min(Penalty.party_id))).one()
        place = waiting_penalties(session, actor_id=supervisor_id, limit=PROPOSALS - 200).after
    yield "first page with sums", "/approvals/"
    yield "one party", f"/approvals/?party={party_id}"
    yield "deep", f"/approvals/?after={'-'.join(map(str, place or ()))}"


def measure(url: str, instance: Path, supervisor_id: int) -> list[str]:
    """Return a line for each page, and one for peak memory; run in a process of its own."""
    app = create_app(
        Settings(
            database_url=url,
            instance=instance,
            keyring=KEYRING,
            secret_key="not a secret: benchmarks only, long enough",  # noqa: S106
            demo=False,
            secure_cookies=False,
            anchor_file=instance / "anchors.txt",
        )
    )
    add_static_page(app)
    client = browser(app, supervisor_id)
    lines = []
    for name, address in pages(url, supervisor_id):
        static, page = p50(client, address)
        lines.append(f"  {name}: {page * 1000:.1f} ms, static {static * 1000:.1f}: {page / static:.2f} times")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*lines, f"  peak memory {peak:.0f} MB"]


def compare(name: str, url: str, instance: Path) -> None:
    """Fill a database and print what its pages take."""
    supervisor_id = make(url)
    with multiprocessing.get_context("spawn").Pool(1, log_into, (instance / "requests.log",)) as pool:
        lines = pool.apply(measure, (url, instance, supervisor_id))
    print(name, *lines, sep="\n", flush=True)


def main() -> None:
    """Measure both engines, SQLite first."""
    with tempfile.TemporaryDirectory() as folder:
        compare("sqlite", clone_sqlite(Path(folder)), Path(folder))
        with postgres_server() as server:
            name = server.create()
            migrate(server.url(name))
            try:
                compare("postgresql", server.url(name), Path(folder))
            finally:
                server.drop(name)


if __name__ == "__main__":
    main()
