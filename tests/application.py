"""One application for all tests of a worker: wiring its addresses takes longer than most tests of a page.

It is moved to each test's own database by the same ``equip`` that furnishes it at a start, and what a test may have
set or remembered in it is put back. An application in which a test has changed the wiring itself (a page, a hook,
an error's handler, a template's filter) is not used again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Config, Flask
from flask.cli import AppGroup
from flask_wtf.csrf import CSRFProtect
from jinja2 import Environment, FileSystemBytecodeCache
from werkzeug.routing import Map

from supervise.app import create_app, equip
from supervise.config import Settings
from tests.databases import SHARED

_TEMPLATES = SHARED / "templates"
#: Put back before each test, or true of every application that has answered once.
_NOT_WIRING = frozenset({"config", "extensions", "_got_first_request"})
#: What ``equip`` puts into the application, anew for each test.
EQUIPPED = frozenset({"supervise.settings", "supervise.db", "supervise.passwords", "supervise.jobs"})
#: What the settings of ``tests/conftest.py`` decide about the wiring; others get an application of their own.
_WIRING_SETTINGS = ("demo", "secure_cookies", "trusted_proxies", "hosts", "secret_key")

_wired: dict[tuple[Any, ...], "Wired"] = {}


class Wired:
    """An application, and how it was when it had just been made."""

    def __init__(self, settings: Settings) -> None:
        self.app = new_application(settings)
        self._config = dict(self.app.config)
        self._extensions = dict(self.app.extensions)
        self._wiring = self._now()

    def reopen(self, settings: Settings) -> Flask:
        """Return the application on the database of *settings*, without memory of another."""
        for kept, present in ((self._config, self.app.config), (self._extensions, self.app.extensions)):
            present.clear()
            present.update(kept)
        # Flask lets nobody add a page to an application that has answered; this one begins anew.
        self.app._got_first_request = False
        equip(self.app, settings)
        return self.app

    def is_unchanged(self) -> bool:
        """Say whether the application is still wired as it was made."""
        return self._now() == self._wiring

    def _now(self) -> dict[str, Any]:
        # What Flask works out when it is first asked is the class's own; anything else in here a test has added.
        wired = {name: value for name, value in vars(self.app).items() if not _is_worked_out(name)}
        return {
            "attributes": snapshot({name: value for name, value in wired.items() if name not in _NOT_WIRING}),
            "templates": snapshot(self.app.jinja_env),
            "extensions": snapshot(
                {name: self.app.extensions.get(name) for name in self._extensions.keys() - EQUIPPED}
            ),
        }


def _is_worked_out(name: str) -> bool:
    return hasattr(getattr(Flask, name, None), "__set_name__")


def snapshot(value: Any) -> Any:
    """Return *value* such that it compares unequal once something was put into it, taken out or replaced."""
    if isinstance(value, Map):
        return [list(value.iter_rules()), dict(value.converters)]
    if isinstance(value, Environment | CSRFProtect | AppGroup):
        return snapshot(vars(value))
    if isinstance(value, dict) and not isinstance(value, Config):
        # Asking for an error's handler leaves empty entries behind.
        taken = {key: snapshot(part) for key, part in value.items()}
        return {key: part for key, part in taken.items() if part not in ({}, [], set())}
    if isinstance(value, list):
        return [snapshot(part) for part in value]
    if isinstance(value, set):
        return set(value)
    return value


def new_application(settings: Settings) -> Flask:
    """Return an application that nobody else has."""
    app = create_app(settings)
    app.testing = True
    # Compiling a page takes longer than showing it.
    _TEMPLATES.mkdir(parents=True, exist_ok=True)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(_TEMPLATES))
    return app


@contextmanager
def opened_application(settings: Settings, *, alone: bool = False) -> Iterator[Flask]:
    """Open the worker's application on *settings*, or a new one if a test wants it *alone*."""
    wiring = tuple(getattr(settings, name) for name in _WIRING_SETTINGS)
    wired = None if alone else _wired.get(wiring)
    if wired is not None:
        app = wired.reopen(settings)
    elif alone:
        app = new_application(settings)
    else:
        wired = _wired[wiring] = Wired(settings)
        app = wired.app
    try:
        yield app
    finally:
        app.extensions["supervise.db"].engine.dispose()
        app.extensions["supervise.jobs"].huey.storage.close()
        if wired is not None and not wired.is_unchanged():
            _wired.pop(wiring, None)
