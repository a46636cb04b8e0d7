"""What a complaint file can tell: the fields that columns are mapped to, by every profile alike."""

from typing import NamedTuple

from supervise.labels import N_, translate


class Field(NamedTuple):
    """A field of a complaint row: its name in mappings, and its words for the mapper and the preview."""

    name: str
    message: str

    @property
    def label(self) -> str:
        """The field's words in the current locale."""
        return translate(self.message)


FIELDS = (
    Field("external_ref", N_("Number at the channel")),
    Field("received_at", N_("Received")),
    Field("stated_due_on", N_("Reply demanded by")),
    Field("number", N_("Subscriber's number")),
    Field("caller_number", N_("Caller's number or port")),
    Field("occurred_at", N_("Time of the call")),
    Field("occurred_clock", N_("Time of day, if in a column of its own")),
    Field("kind", N_("Call or SMS")),
    Field("seconds", N_("Duration")),
    Field("answered", N_("Answered")),
    Field("caller_kind", N_("Robot or human")),
    Field("subject", N_("What was offered")),
    Field("content", N_("Description")),
    Field("demand", N_("Demand")),
    Field("claimed_amount", N_("Amount claimed (yuan)")),
    Field("claimed_calls", N_("Number of calls claimed")),
    Field("claimed_party", N_("Whom the caller claimed to be")),
    Field("complainant", N_("Complainant's name")),
    Field("region", N_("Region")),
    Field("region_detail", N_("Region, second column")),
    Field("refused", N_("Refusal said")),
    Field("refused_at", N_("When the refusal was said")),
    Field("sms_text", N_("Text of the SMS")),
    Field("opt_out_sent", N_("Opt-out sent")),
    Field("sensitive", N_("Sensitive")),
)
FIELD_NAMES = tuple(field.name for field in FIELDS)
