"""What templates say about values."""

import datetime as dt
import re
from pathlib import Path

import pytest
import time_machine
from flask import Flask, render_template_string

from supervise.labels import LabelledEnum, use_locale
from supervise.views.filters import china_time, due_tone, register_filters, relative_due, tone

NOW = dt.datetime(2026, 11, 22, 9, 34, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


class Colour(LabelledEnum):
    """A state whose word needs escaping."""

    PROPOSED = "proposed", "<Proposed>"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("minute", "2026-11-22 17:34"),
        ("second", "2026-11-22 17:34:00"),
        ("day", "2026-11-22"),
        ("short", "11-22 17:34"),
    ],
)
@time_machine.travel(NOW)
def test_a_moment_is_shown_as_chinas_clocks_show_it(shape: str, text: str) -> None:
    assert china_time(NOW, shape) == text


@time_machine.travel(NOW)
def test_a_moment_of_another_year_keeps_its_year() -> None:
    # 16:00 UTC on the last day is already the new year in China.
    assert china_time(dt.datetime(2026, 12, 31, 16, tzinfo=dt.UTC), "short") == "2027-01-01"


@pytest.mark.parametrize(
    ("left", "words", "colour"),
    [
        (dt.timedelta(minutes=1), "1 minute left", "warning"),
        (HOUR * 6, "6 hours left", "warning"),
        (HOUR * 24, "24 hours left", ""),
        (HOUR * 48, "2 days left", ""),
        (dt.timedelta(seconds=-1), "0 minutes late", "danger"),
        (HOUR * -3, "3 hours late", "danger"),
        (HOUR * -72, "3 days late", "danger"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_a_due_time_says_what_is_left_and_turns_red_when_it_has_passed(
    left: dt.timedelta, words: str, colour: str
) -> None:
    with use_locale("en"):
        assert relative_due(NOW + left) == words
    assert due_tone(NOW + left) == colour


def test_a_state_without_a_colour_of_its_own_is_grey() -> None:
    assert tone("final") == "success"
    assert tone("no such state") == "secondary"


def _templates() -> Flask:
    app = Flask("supervise", root_path=str(Path(__file__).parents[2] / "supervise"))
    app.jinja_env.autoescape = True
    register_filters(app)
    return app


def test_a_badge_escapes_its_word() -> None:
    with _templates().test_request_context():
        html = render_template_string(
            '{% from "macros/ui.html" import badge %}{{ badge(state) }}', state=Colour.PROPOSED
        )

    assert ">&lt;Proposed&gt;<" in html
    assert "bg-warning-subtle" in html


def test_an_amount_stands_in_yuan_and_a_missing_one_is_no_zero() -> None:
    template = '{% from "macros/ui.html" import amount %}{{ amount(-123450) }}|{{ amount(none) }}'
    with _templates().test_request_context():
        owed, missing = render_template_string(template).split("|")

    assert "-1,234.50" in owed
    assert "0" not in re.sub(r"<[^>]*>", "", missing)


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[2] / "supervise/templates").rglob("*.html")), ids=str)
def test_no_template_holds_style_or_script_that_the_policy_forbids(file: Path) -> None:
    source = file.read_text(encoding="utf-8")

    assert not re.search(r"\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|<style|<script(?![^>]*\bsrc=)", source)
    assert "|safe" not in source.replace(" ", "")
