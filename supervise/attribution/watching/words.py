"""What each kind of irregularity means, and what is wrong with a record, in words."""

from collections.abc import Mapping

from supervise.attribution.watch_words import MEANINGS
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.orders import AND, BEFORE
from supervise.labels import N_, _, translate

#: For the kinds that no figure explains.
_MEANINGS: Mapping[Irregularity, str] = {
    Irregularity.AFTER_REFUSAL: N_("The subscriber's last word before the call was no, to this party or to everyone"),
    Irregularity.UNOFFICIAL_NUMBER: N_(
        "A call with a campaign from a number that is not the carrier's official outbound number of that day"
    ),
    Irregularity.NO_PERMISSION: N_(
        "The party had no outbound permission on that day; one for any area counts, branches need none"
    ),
    Irregularity.ORDER_STEP_MISSING: N_(
        "Consent, confirmation SMS, reply and notice are all due; at least one of them is not on record"
    ),
    Irregularity.ORDER_STEPS_SWAPPED: N_("Consent comes first, then confirmation SMS, reply and notice"),
    Irregularity.PLAN_UNPUBLISHED: N_("The catalogue has the plan, but it was not published on the day of the order"),
    Irregularity.PLAN_NOT_ON_CHANNEL: N_("The catalogue does not allow the plan on this channel or kind of channel"),
    Irregularity.PLAN_UNKNOWN: N_("No plan of this code was ever in the catalogue: find out what was sold"),
}
_STEPS = {
    "consent": N_("consent"),
    "confirmation": N_("confirmation SMS"),
    "reply": N_("reply"),
    "notice": N_("notice"),
}


def meaning_of(kind: Irregularity) -> str:
    """Return when a record, or a number of them, counts as irregular."""
    watched_by = BASES[kind].threshold
    return translate(_MEANINGS[kind] if watched_by is None else MEANINGS[watched_by])


def wrong_in_words(kind: Irregularity, detail: str | None) -> str:
    """Return what is wrong with a record, as its expression named it; empty where the kind says it all."""
    if not detail:
        return ""
    parts = [part.split(BEFORE) for part in detail.split(AND)]
    if kind is Irregularity.ORDER_STEP_MISSING:
        return _("missing: %(steps)s", steps=_(", ").join(translate(_STEPS[step]) for (step,) in parts))
    pairs = [
        _("%(step)s before %(earlier)s", step=translate(_STEPS[later]), earlier=translate(_STEPS[earlier]))
        for later, earlier in parts
    ]
    return _("; ").join(pairs)
