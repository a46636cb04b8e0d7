"""Migration 0016: words typed before their columns masked numbers."""

import sqlalchemy as sa
from alembic import command

from supervise.schema import alembic_config
from tests.databases import opened
from tests.test_migrations import empty_url  # noqa: F401 - a fixture

NUMBER, OTHER = "13987654321", "13900004321"
MOMENT = "2026-01-01 00:00:00+00:00"


def test_what_was_typed_before_is_masked_and_stays_masked(empty_url: str) -> None:  # noqa: F811 - the fixture
    config = alembic_config(empty_url)
    command.upgrade(config, "0015")
    with opened(empty_url) as database, database.engine.begin() as connection:
        type_words(connection)

    command.upgrade(config, "0016")
    command.downgrade(config, "0015")

    with opened(empty_url) as database, database.engine.begin() as connection:
        notes = connection.scalars(sa.text("SELECT note FROM party ORDER BY code")).all()
        views = connection.execute(sa.text("SELECT name, query FROM saved_view ORDER BY id")).all()
    assert notes == ["投诉人139****4321认识店主", "2026-11-22 走访", None]
    assert [tuple(view) for view in views] == [
        ("用户139****4321 (1)", "q=139%2A%2A%2A%2A4321+%E5%A5%97%E9%A4%90&state=new"),
        ("用户139****4321 (2)", "due=late"),
        ("超时", "due=late&q=%E5%A5%97"),
    ]


def type_words(connection: sa.Connection) -> None:
    notes = {"A": f"投诉人{NUMBER}认识店主", "B": "2026-11-22 走访", "C": None}
    for code, note in notes.items():
        connection.execute(
            sa.text(
                "INSERT INTO party (code, kind, name, status, is_person, note, version) "
                "VALUES (:code, 'agent', :code, 'registered', false, :note, 1)"
            ),
            {"code": code, "note": note},
        )
    connection.execute(
        sa.text(
            "INSERT INTO app_user (id, username, display_name, role, password_hash, password_is_initial, "
            "password_changed_at, active, locale, created_at, version) "
            "VALUES (1, 'wang', 'Wang', 'clerk', 'x', false, :at, true, 'zh_Hans', :at, 1)"
        ),
        {"at": MOMENT},
    )
    views = [
        (f"用户{NUMBER}", f"q={NUMBER}+%E5%A5%97%E9%A4%90&state=new"),
        (f"用户{OTHER}", "due=late"),
        ("超时", "due=late&q=%E5%A5%97"),
    ]
    for number, (name, query) in enumerate(views, start=1):
        connection.execute(
            sa.text("INSERT INTO saved_view (id, user_id, name, query, shared) VALUES (:id, 1, :name, :query, false)"),
            {"id": number, "name": name, "query": query},
        )
