"""A missing, half-made or outdated environment is seen and made right; a right one costs nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bootstrap


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project in which making and installing are only noted, since each takes a minute."""
    taken: list[str] = []
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "UNFINISHED", tmp_path / ".venv" / "unfinished")
    monkeypatch.setattr(bootstrap, "works", (tmp_path / ".venv").is_dir)

    def make() -> None:
        (tmp_path / ".venv").mkdir(exist_ok=True)
        taken.append("made")

    monkeypatch.setattr(bootstrap, "make_venv", make)
    monkeypatch.setattr(bootstrap, "install", taken.append)
    return taken


def test_a_missing_environment_is_made_and_filled(steps: list[str]) -> None:
    bootstrap.prepare("requirements.txt")

    assert steps == ["made", "requirements.txt"]


def test_a_right_environment_is_left_alone(steps: list[str]) -> None:
    bootstrap.prepare("requirements.txt")

    bootstrap.prepare("requirements.txt")

    assert steps == ["made", "requirements.txt"]


def test_the_development_requirements_hold_the_others(steps: list[str]) -> None:
    bootstrap.prepare("requirements-dev.txt")

    bootstrap.prepare("requirements.txt")

    assert steps == ["made", "requirements-dev.txt"]


def test_changed_requirements_are_installed_into_the_same_environment(steps: list[str], tmp_path: Path) -> None:
    bootstrap.prepare("requirements.txt")
    (tmp_path / "constraints.txt").write_text("other")

    bootstrap.prepare("requirements.txt")

    assert steps == ["made", "requirements.txt", "requirements.txt"]


def test_an_interrupted_installation_is_started_over(
    steps: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    finished: Callable[[str], None] = bootstrap.install
    monkeypatch.setattr(bootstrap, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.prepare("requirements.txt")
    monkeypatch.setattr(bootstrap, "install", finished)

    bootstrap.prepare("requirements.txt")

    assert steps == ["made", "made", "requirements.txt"]
    assert "unfinished" in capsys.readouterr().out


def test_an_environment_that_cannot_start_is_made_anew(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.prepare("requirements.txt")
    monkeypatch.setattr(bootstrap, "works", lambda: False)

    bootstrap.prepare("requirements.txt")

    assert steps == ["made", "requirements.txt"] * 2


def test_an_old_python_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))

    with pytest.raises(bootstrap.SetupError, match=r"Python 3\.10; Python 3\.11, 3\.12 or 3\.13 is needed"):
        bootstrap.refuse_other_python()
