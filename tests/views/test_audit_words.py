"""The audit trail is read in words: every code that the source writes has its own."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from supervise import db
from supervise.access.roles import Role
from supervise.complaints.models import DayType
from supervise.contracts.models import SettlementOrder
from supervise.files.models import ImportKind
from supervise.labels import use_locale
from supervise.views.audit_vocabulary import FIELDS, SUBJECTS
from supervise.views.audit_words import Change, action_words, changes_in_words, field_words, subject_words
from tests.factories.access import make_user, sign_in

_SOURCE = Path(__file__).parents[2] / "supervise"
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")


@cache
def _written_events() -> list[ast.Call]:
    """Return the calls that hand an action on: to ``record_event`` or to a function that ends in it."""
    trees = [ast.parse(path.read_text()) for path in _SOURCE.rglob("*.py") if "views" not in path.parts]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and "record" in call.func.id]


def _constants(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def test_every_action_that_the_source_writes_has_words() -> None:
    written = {
        text
        for call in _written_events()
        for node in [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "action")]
        if isinstance(node, ast.Constant)
        for text in _constants(node)
        if _ACTION.fullmatch(text)
    }

    assert len(written) > 80
    assert [action for action in sorted(written) if action_words(action) == action] == []


def test_every_field_that_the_source_writes_has_words() -> None:
    written = {
        text
        for call in _written_events()
        for keyword in call.keywords
        if keyword.arg == "changes" and isinstance(keyword.value, ast.Dict)
        for key in keyword.value.keys
        if key is not None
        for text in _constants(key)
    }

    assert len(written) > 40
    assert written - set(FIELDS) == set()


def test_every_record_that_the_source_names_has_words() -> None:
    written = {
        text
        for call in _written_events()
        for keyword in call.keywords
        if keyword.arg == "subject" and isinstance(keyword.value, ast.Constant)
        for text in _constants(keyword.value)
    }

    assert len(written) > 20
    assert written - set(SUBJECTS) == set()


def test_a_step_of_a_ticket_is_told_by_its_state() -> None:
    with use_locale("en"):
        assert action_words("ticket.closed") == "Ticket: Case closed"


@pytest.mark.parametrize("code", ["ticket.flown_away", "nobody.knows"])
def test_a_code_without_words_is_shown_as_it_is(code: str) -> None:
    assert action_words(code) == code


def test_an_amount_is_told_in_yuan_and_a_moment_by_chinas_clock() -> None:
    with use_locale("en"):
        amount, moment = changes_in_words({"total_fen": 440000, "held_from": "2026-01-26 16:00:00+00:00"})

    assert (amount.label, amount.after[0].text) == ("Total", "4,400.00")
    assert moment.after[0].text == "2026-01-27 00:00"


def test_the_kind_of_an_imported_file_is_told_in_words() -> None:
    with use_locale("en"):
        [change] = changes_in_words({"kind": ImportKind.BILLING_RETURNS.value})

    assert change.after[0].text == "Billing return file"


def test_the_terms_of_a_contract_are_told_in_words() -> None:
    with use_locale("en"):
        order, days = changes_in_words(
            {"settlement_order": SettlementOrder.DEPOSIT_CASH.value, "appeal_day_type": DayType.WORKING.value}
        )

    assert order.after[0].text == "Deposit, then cash; never from commission"
    assert days.after[0].text == "Working days"


def test_an_old_and_a_new_value_stand_side_by_side() -> None:
    with use_locale("en"):
        [change] = changes_in_words({"role": ["clerk", "triager"]})

    assert change.before is not None
    assert [change.before[0].text, change.after[0].text] == ["Clerk", "Triager"]


def words_for(app: Flask, role: Role, changes: dict[str, object]) -> list[Change]:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        token = sign_in(session, client, make_user(session, role=role))
    cookie = {"Cookie": f"{app.config['IDENTITY_COOKIE']}={token}"}
    with app.test_request_context(headers=cookie):
        return changes_in_words(changes)


def test_two_rows_of_a_bulk_act_are_not_an_old_and_a_new_value(app: Flask) -> None:
    [change] = words_for(app, Role.SUPERVISOR, {"penalty_ids": [57, 58]})

    assert change.before is None
    assert [word.href for word in change.after] == ["/penalties/57", "/penalties/58"]


def test_a_row_leads_nowhere_where_its_page_is_not_the_readers_to_open(app: Flask) -> None:
    [change] = words_for(app, Role.FINANCE, {"party_id": 11})

    assert [(word.text, word.href) for word in change.after] == [("11", None)]


def test_of_a_long_bulk_act_the_first_rows_are_shown_and_the_others_counted(app: Flask) -> None:
    [change] = words_for(app, Role.SUPERVISOR, {"credit_ids": list(range(1, 31))})

    assert (len(change.after), change.more) == (12, 18)


def test_an_unknown_field_keeps_its_name() -> None:
    assert (field_words("mystery"), subject_words("riddle")) == ("mystery", "riddle")
