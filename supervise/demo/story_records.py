"""What the platforms of the demo's five cases deliver, and the registers that lead from a record to a party."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.demo.records import import_records
from supervise.demo.registers import HANDED_OVER, HANDED_OVER_DAYS, NUMBERS, Registers
from supervise.evidence.models import RecordKind, RecordSource
from supervise.parties.models import PhoneNumber
from supervise.parties.numbers import enter_number, hold
from supervise.parties.staff import assign_staff_number

MOBILE_OFFICIAL = "10085"
#: Within the port of 信通, let to 锐达: the longer beginning counts.
SUB_PORT = "1069033388"
BURST_PORT = f"{SUB_PORT}01"
OFFER = "【锐达】老用户升级套餐立享五折，回T退订"
_DIALLER, _ORDERS = "YD01", "BS01"
_STAFF = "600123"
#: The day, so many days ago, of which the platform of 10085 delivered nothing.
_MISSING = 5


@dataclass
class Story:
    """The five cases: tickets and incidents by case and letter (``1A``)."""

    keyring: Keyring
    registers: Registers
    today: dt.date
    incidents: dict[str, int] = field(default_factory=dict)
    tickets: dict[str, int] = field(default_factory=dict)

    def day(self, ago: int) -> dt.date:
        """Return the China day so many days ago."""
        return self.today - dt.timedelta(days=ago)

    def at(self, ago: int, clock_time: str) -> dt.datetime:
        """Return a moment by China's clocks, so many days ago."""
        return dt.datetime.combine(self.day(ago), dt.time.fromisoformat(clock_time), tzinfo=clock.CHINA)

    def written(self, ago: int, clock_time: str) -> str:
        """Return the moment as a platform's file has it."""
        return f"{self.at(ago, clock_time):%Y-%m-%d %H:%M:%S}"

    def number(self, place: int) -> str:
        """Return the number of a subscriber of the register."""
        return self.registers.subscribers[place][0]


class Dialled(NamedTuple):
    """A row of a dialling platform: when is days ago and the time."""

    record_id: str
    caller: str
    place: int
    ago: int
    clock_time: str
    staff: str = ""


def make_story_registers(session: Session, registers: Registers, since: dt.date, today: dt.date) -> None:
    """Enter the worker at the desk of 10085, the let sub-port, and the two platforms of the story."""
    triager = registers.users["triager"]
    assign_staff_number(
        session,
        carrier_code="CM",
        staff_number=_STAFF,
        employer_id=registers.parties["LD"],
        placed_at_id=registers.parties["YZ-CD"],
        alias="小赵",
        valid_from=since,
        actor_id=triager,
    )
    port: PhoneNumber = enter_number(session, text=SUB_PORT, is_prefix=True, actor_id=triager)
    hold(
        session,
        number_id=port.id,
        party_id=registers.parties["RD"],
        held_from=clock.start_of_day(since),
        source="端口转租登记",
        actor_id=triager,
    )
    session.add_all(
        RecordSource(code=code, name=name, kind=kind, carrier_code=carrier, valid_from=valid_from)
        for code, name, kind, carrier, valid_from in (
            (_DIALLER, "10085外呼平台", RecordKind.CALLS, "CM", today - dt.timedelta(days=12)),
            (_ORDERS, "业务受理系统", RecordKind.ORDERS, "CU", since),
        )
    )


def _import(story: Story, platform: str, kind: RecordKind, covers: tuple[int, int], rows: Sequence[Any]) -> None:
    """Import a file for the days from *covers*[0] to before *covers*[1] days ago."""
    days = (story.day(covers[0]), story.day(covers[1]))
    import_records(story.keyring, story.registers.users["triager"], (platform, kind), rows, days)


def deliver_orders(story: Story) -> None:
    """Deliver two plan upgrades under the hall's channel code, two days after the calls."""
    rows = [
        (f"DD{n}", story.number(place), story.written(ago, at), "QD3001", "", before, "CX99", difference)
        for n, (place, ago, at, before, difference) in enumerate(
            ((40, 8, "10:12:07", "CX59", "40.00"), (41, 8, "16:40:31", "CX59", "40.00")), start=881001
        )
    ]
    _import(story, _ORDERS, RecordKind.ORDERS, (12, 7), rows)


def _row(story: Story, one: Dialled) -> Sequence[Any]:
    end = f"{story.at(one.ago, one.clock_time) + dt.timedelta(seconds=90):%Y-%m-%d %H:%M:%S}"
    begun = story.written(one.ago, one.clock_time)
    return (one.record_id, one.caller, story.number(one.place), begun, end, 75, "是", one.staff)


def deliver_dialler(story: Story) -> None:
    """Deliver all days but one, of which the file never came."""
    rows = [
        _row(story, Dialled(f"YD60{n}", MOBILE_OFFICIAL, place, 6, at, _STAFF))
        for n, (place, at) in enumerate(((42, "15:20:31"), (43, "16:20:12"), (44, "17:20:44")))
    ]
    _import(story, _DIALLER, RecordKind.CALLS, (12, _MISSING), rows)


def deliver_dialler_again(story: Story) -> None:
    """Deliver the days after the missing one; yesterday's and today's are not due yet."""
    rows = [_row(story, Dialled("YD700", MOBILE_OFFICIAL, 53, 3, "10:05:00", _STAFF))]
    _import(story, _DIALLER, RecordKind.CALLS, (_MISSING - 1, 1), rows)


def deliver_calls(story: Story, *, ago: int) -> None:
    """Deliver a day on which our own platform dialled nobody of the story."""
    rows = [_row(story, Dialled(f"HD95{ago}", NUMBERS["LD"][0], 54, ago, "10:00:00", "8001"))]
    _import(story, "WH01", RecordKind.CALLS, (ago, ago - 1), rows)


def deliver_handed_over(story: Story) -> None:
    """Deliver the last call before the noon, and the first one after it."""
    rows = [
        _row(story, Dialled(f"HD90{n}", HANDED_OVER, place, HANDED_OVER_DAYS, at))
        for n, (place, at) in enumerate(((48, "11:59:59"), (49, "12:00:00")))
    ]
    _import(story, "WH01", RecordKind.CALLS, (HANDED_OVER_DAYS, HANDED_OVER_DAYS - 1), rows)


def deliver_messages(story: Story) -> None:
    """Deliver one message, and the seven that followed the opt-out."""
    rows = [
        (f"DX70{n}", BURST_PORT, story.number(52), story.written(ago, at), "【锐达】", "营销", OFFER)
        for n, (ago, at) in enumerate([(8, "10:00:04"), *((7, f"09:{minute:02d}:04") for minute in range(0, 56, 8))])
    ]
    _import(story, "DX01", RecordKind.MESSAGES, (8, 6), rows)
