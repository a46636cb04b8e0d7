"""Fill an empty, migrated database with the demo."""

from supervise import db
from supervise.demo.people import make_people


def load_demo() -> None:
    """Load everything; called once, on a database that nobody else has opened, within an app context."""
    db.decide(make_people)
