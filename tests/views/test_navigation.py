"""The side bar: only what exists and what the user may use."""

from dataclasses import dataclass

import pytest
from flask import Flask, g, render_template_string

from supervise.access.roles import ROLE_PERMISSIONS, Permission, Role
from supervise.labels import use_locale
from supervise.views.navigation import KEYS_COOKIE, navigation_for, register_shell


@dataclass(frozen=True)
class SomebodyShown:
    """A user as the frame sees one."""

    role: Role
    display_name: str = "周建国"

    @property
    def permissions(self) -> frozenset[Permission]:
        """The role's."""
        return ROLE_PERMISSIONS[self.role]


@pytest.fixture
def frame() -> Flask:
    app = Flask("frame")
    for endpoint in ("home.index", "tickets.queue", "approvals.index", "ledger.trial_balance", "users.index"):
        app.add_url_rule(f"/{endpoint}", endpoint, lambda: "")
    register_shell(app, version="1.2.3", demo=True, current_user=lambda: None)
    return app


def _labels(app: Flask, role: Role) -> list[str]:
    with app.test_request_context("/tickets.queue"), use_locale("en"):
        return [item.label for group in navigation_for(SomebodyShown(role)) for item in group.items]


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        (Role.CLERK, ["Home", "Tickets"]),
        (Role.SUPERVISOR, ["Home", "Tickets", "To approve", "General ledger"]),
        (Role.FINANCE, ["Home", "General ledger"]),
        (Role.BRANCH_MANAGER, ["Home"]),
        (Role.ADMIN, ["Home", "Users"]),
    ],
)
def test_each_role_is_offered_its_own_pages(frame: Flask, role: Role, labels: list[str]) -> None:
    assert _labels(frame, role) == labels


def test_a_stranger_is_offered_nothing(frame: Flask) -> None:
    with frame.test_request_context("/"):
        assert navigation_for(None) == []


def test_the_page_one_is_on_is_marked_and_what_waits_is_counted(frame: Flask) -> None:
    with frame.test_request_context("/tickets.queue"):
        g.waiting = {"tickets.queue": 38}
        items = [item for group in navigation_for(SomebodyShown(Role.CLERK)) for item in group.items]

    assert [(item.active, item.count) for item in items] == [(False, 0), (True, 38)]


def test_the_way_back_leads_to_our_own_pages_only(frame: Flask) -> None:
    shown = "{{ shell.back_url }}"
    with frame.test_request_context("/users.index", headers={"Referer": "http://localhost/tickets.queue?due=late"}):
        assert render_template_string(shown) == "/tickets.queue?due=late"
    with frame.test_request_context("/users.index", headers={"Referer": "https://elsewhere.example/tickets.queue"}):
        assert render_template_string(shown) == "None"


def test_the_single_key_shortcuts_can_be_switched_off(frame: Flask) -> None:
    shown = "{{ shell.keys_on }}"
    with frame.test_request_context("/"):
        assert render_template_string(shown) == "True"
    with frame.test_request_context("/", headers={"Cookie": f"{KEYS_COOKIE}=off"}):
        assert render_template_string(shown) == "False"
