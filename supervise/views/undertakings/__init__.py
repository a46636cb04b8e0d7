"""What the carrier promised: undertakings to one subscriber each, and the general compensation policy."""

from supervise.views.undertakings import pages, policies
from supervise.views.undertakings.blueprint import bp

__all__ = ["bp", "pages", "policies"]
