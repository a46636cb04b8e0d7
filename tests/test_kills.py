"""kill -9 in the middle of an import or an approval: at whichever statement it strikes, all is there or nothing.

A child process takes the decision and kills itself at its n-th statement, or at the commit.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import func, select

from supervise import db
from supervise.app import create_app
from supervise.cipher import Keyring
from supervise.compensation.models import Credit, CreditState
from supervise.complaints.models import Incident, Ticket
from supervise.config import Settings
from supervise.db import Database
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.penalties.models import Penalty, PenaltyState
from tests.factories.ledger import out_of_balance_fen
from tests.test_whole_path import build, complaints, run, take_in, write_csv

#: Statements at which the child dies; the round ends with the first child that lives.
STEPS = (1, 2, 4, 7, 11, 16, 24, 40, 80, 160, 320, 640, 10_000)
FINE_STEPS = range(1, 400)
KILLED = 128 + signal.SIGKILL


@pytest.fixture
def world(app: Flask, keyring: Keyring) -> Iterator[Flask]:
    with app.app_context():
        db.decide(build, keyring)
        yield app


def dies(settings: Settings, act: Callable[[Flask], None], statement: int | None) -> bool:
    """Run *act* in a child that kills itself at its n-th statement (None: at the commit); say whether it died."""
    child = os.fork()
    if child == 0:
        _live_or_die(settings, act, statement)
    _pid, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL if killed else os.WEXITSTATUS(status) == 0, (
        "the child failed by itself"
    )
    return killed


def _live_or_die(settings: Settings, act: Callable[[Flask], None], statement: int | None) -> None:
    # Never returns: no fixture of the parent may be torn down here.
    # An engine of records that the parent no longer needs has threads, which a child of fork does not: it would die of it.
    gc.disable()
    code = 1
    try:
        app = create_app(settings)
        with app.app_context():
            _arm(db.current(), statement)
            act(app)
        code = 0
    finally:
        os._exit(code)


def _arm(database: Database, statement: int | None) -> None:
    count = 0

    def strike(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    if statement is not None:
        sa.event.listen(database.engine, "before_cursor_execute", strike)
    else:
        sa.event.listen(database.engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))


def rounds(settings: Settings, act: Callable[[Flask], None], steps: Any, untouched: Callable[[], None]) -> int:
    """Kill at each of *steps* until a child lives; after each death *untouched* must hold. Return the deaths."""
    assert dies(settings, act, None)
    untouched()
    deaths = 1
    for statement in steps:
        if not dies(settings, act, statement):
            return deaths
        deaths += 1
        untouched()
    raise AssertionError("no child lived: give the round more steps")


def count(table: type[Any]) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def import_rounds(world: Flask, settings: Settings, folder: Path, steps: Any) -> int:
    """Kill the taking over of 120 rows again and again."""
    file = write_csv(complaints(), folder / "12321.csv")

    def act(app: Flask) -> None:
        runner = app.test_cli_runner()
        runner.invoke(args=["cases", "import", str(file), "--profile", "12321", "--commit", "--user", "triager"])

    def untouched() -> None:
        assert (count(Ticket), count(Incident)) == (0, 0)

    deaths = rounds(settings, act, steps, untouched)
    assert (count(Ticket), count(Incident)) == (120, 120)
    return deaths


def approval_rounds(world: Flask, settings: Settings, folder: Path, steps: Any) -> int:
    """Kill the approval of every penalty of the file again and again."""
    runner = world.test_cli_runner()
    take_in(runner, folder, complaints())
    for words in (
        ("attribute", "--user", "triager"),
        ("find", "--offence", "misleading_free", "--evidence", "录音", "--user", "triager"),
        ("propose", "--user", "triager"),
    ):
        run(runner, *words)

    def act(app: Flask) -> None:
        app.test_cli_runner().invoke(args=["cases", "approve", "--user", "supervisor"])

    def whole() -> None:
        # Penalties and credits are two transactions: each is there whole, or not at all.
        with db.reading() as session:
            approved = session.scalar(
                select(func.sum(Penalty.amount_fen)).where(Penalty.state == PenaltyState.APPROVED)
            )
            credited = session.scalar(select(func.sum(Credit.amount_fen)).where(Credit.state == CreditState.APPROVED))
            waiting = session.scalar(select(func.count(Penalty.id)).where(Penalty.state == PenaltyState.PROPOSED))
            assert out_of_balance_fen(session) == 0
            assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == (approved or 0)
            assert balance_fen(session, AccountCode.COMPENSATION_EXPENSE) == (credited or 0)
            assert not (approved and waiting)

    deaths = rounds(settings, act, steps, whole)
    whole()
    assert count(JournalEntry) == count(Penalty) + count(Credit)
    return deaths


def test_an_import_killed_at_any_statement_is_whole_or_not_there(
    world: Flask, settings: Settings, tmp_path: Path
) -> None:
    assert import_rounds(world, settings, tmp_path, STEPS) > 3


def test_an_approval_killed_at_any_statement_is_whole_or_not_there(
    world: Flask, settings: Settings, tmp_path: Path
) -> None:
    assert approval_rounds(world, settings, tmp_path, STEPS) > 3


@pytest.mark.soak
def test_an_import_killed_at_every_statement_is_whole_or_not_there(
    world: Flask, settings: Settings, tmp_path: Path
) -> None:
    assert import_rounds(world, settings, tmp_path, FINE_STEPS) > 20


@pytest.mark.soak
def test_an_approval_killed_at_every_statement_is_whole_or_not_there(
    world: Flask, settings: Settings, tmp_path: Path
) -> None:
    assert approval_rounds(world, settings, tmp_path, FINE_STEPS) > 10
