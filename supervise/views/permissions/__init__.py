"""The do-not-contact register: what subscribers refused or allowed, listed, looked up by number, recorded."""

from supervise.views.permissions import numbers, register
from supervise.views.permissions.blueprint import bp

__all__ = ["bp", "numbers", "register"]
