"""The settings of the running application, for views."""

from flask import current_app

from supervise.cipher import Keyring
from supervise.config import Settings


def current_settings() -> Settings:
    """Return what the environment decided at the start."""
    settings: Settings = current_app.extensions["supervise.settings"]
    return settings


def current_keyring() -> Keyring:
    """Return the keys of subscriber numbers, texts and second factors."""
    return current_settings().keyring
