"""What is looked for in the records, and on what each kind of irregularity stands.

An irregularity makes a suspicion, never an offence and never a fine (domain F46): people look at it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from supervise.attribution.watch_models import WatchKind
from supervise.evidence.models import RecordKind
from supervise.labels import N_, LabelledEnum


class Irregularity(LabelledEnum):
    """What a record, or a number of records, is suspected of."""

    AFTER_REFUSAL = "after_refusal", N_("Calls after a refusal")
    OUTSIDE_HOURS = "outside_hours", N_("Calls outside the allowed hours")
    SUBSCRIBER_TOO_OFTEN = "subscriber_too_often", N_("Too many calls to one subscriber")
    STAFF_PACE = "staff_pace", N_("Too many calls by one staff number")
    NUMBER_BURST = "number_burst", N_("Bursts of calls from one number")
    NUMBER_ROTATION = "number_rotation", N_("Changing numbers against one subscriber")
    UNOFFICIAL_NUMBER = "unofficial_number", N_("Marketing from other than the official number")
    NO_PERMISSION = "no_permission", N_("Calls without outbound permission")
    NO_RECORDING = "no_recording", N_("Calls without a recording")
    NO_QUALITY_CHECK = "no_quality_check", N_("Calls without a quality check")
    SMS_BURST = "sms_burst", N_("Bursts of messages to one subscriber")
    PORT_VOLUME = "port_volume", N_("Too many messages of one port")
    ORDER_STEP_MISSING = "order_step_missing", N_("Orders without a step of the confirmation")
    ORDER_STEPS_SWAPPED = "order_steps_swapped", N_("Orders whose steps are out of order")
    PLAN_UNPUBLISHED = "plan_unpublished", N_("Plans that were not published then")
    PLAN_NOT_ON_CHANNEL = "plan_not_on_channel", N_("Plans not allowed on the channel")
    PLAN_UNKNOWN = "plan_unknown", N_("Plans that the catalogue does not know")


class Basis(NamedTuple):
    """What an irregularity is looked for in, and what must hold on the day for it to be looked for at all."""

    records: RecordKind
    #: The figure that is passed; without one in force that day the kind is not watched.
    threshold: WatchKind | None = None
    #: Code of the offence type that it may be; where that is not in force that day, the duty did not apply.
    offence: str | None = None
    #: Whether a share of the records counts, not each of them (domain F53).
    is_coverage: bool = False
    #: Whether all records are counted beside the irregular ones: what scorecards divide by.
    counts_all: bool = False


_CALLS, _MESSAGES, _ORDERS = RecordKind.CALLS, RecordKind.MESSAGES, RecordKind.ORDERS
BASES: Mapping[Irregularity, Basis] = {
    Irregularity.AFTER_REFUSAL: Basis(_CALLS, offence="after_refusal"),
    Irregularity.OUTSIDE_HOURS: Basis(_CALLS, WatchKind.CALL_HOURS),
    Irregularity.SUBSCRIBER_TOO_OFTEN: Basis(_CALLS, WatchKind.CALLS_PER_SUBSCRIBER),
    Irregularity.STAFF_PACE: Basis(_CALLS, WatchKind.DIALS_PER_STAFF),
    Irregularity.NUMBER_BURST: Basis(_CALLS, WatchKind.CALLS_PER_NUMBER),
    Irregularity.NUMBER_ROTATION: Basis(_CALLS, WatchKind.NUMBER_ROTATION),
    Irregularity.UNOFFICIAL_NUMBER: Basis(_CALLS, offence="unauthorised_number"),
    Irregularity.NO_PERMISSION: Basis(_CALLS, offence="no_outbound_permission"),
    Irregularity.NO_RECORDING: Basis(_CALLS, WatchKind.RECORDING_COVERAGE, "no_recording", is_coverage=True),
    Irregularity.NO_QUALITY_CHECK: Basis(_CALLS, WatchKind.QC_COVERAGE, "no_quality_check", is_coverage=True),
    Irregularity.SMS_BURST: Basis(_MESSAGES, WatchKind.SMS_PER_SUBSCRIBER),
    Irregularity.PORT_VOLUME: Basis(_MESSAGES, WatchKind.SMS_PER_PORT),
    Irregularity.ORDER_STEP_MISSING: Basis(_ORDERS, offence="unauthorised_order", counts_all=True),
    Irregularity.ORDER_STEPS_SWAPPED: Basis(_ORDERS, offence="unauthorised_order"),
    Irregularity.PLAN_UNPUBLISHED: Basis(_ORDERS, offence="unpublished_tariff"),
    Irregularity.PLAN_NOT_ON_CHANNEL: Basis(_ORDERS),
    Irregularity.PLAN_UNKNOWN: Basis(_ORDERS),
}
