"""Irregular orders, each kind an expression over the orders of a day."""

import itertools

import ibis
import ibis.expr.types as ir

from supervise.attribution.watching import tables
from supervise.attribution.watching.marking import marked, orders
from supervise.evidence.engine import unbound

#: Consent, then the SMS that asks, then the subscriber's reply, then the notice (domain C10, C11), by column.
STEPS = {
    "consent": "consented_at",
    "confirmation": "confirmation_sent_at",
    "reply": "confirmed_at",
    "notice": "notice_sent_at",
}
#: Between a step and the one that it should have followed, in ``detail``.
BEFORE = "<"
#: Between two things that are wrong, in ``detail``.
AND = ","
_PLANS = unbound("plans", tables.PLANS)


def order_step_missing() -> ir.Table:
    """Return the orders that lack a step of the confirmation; ``detail`` names each."""
    every = orders()
    wrong = every.mutate(wrong=_named({name: every[column].isnull() for name, column in STEPS.items()}))
    return marked(wrong.filter(wrong.wrong != ""), detail=wrong.wrong)


def order_steps_swapped() -> ir.Table:
    """Return the orders with a step before one that it should follow; ``detail`` names each pair."""
    every = orders()
    pairs = {
        f"{later}{BEFORE}{earlier}": (every[STEPS[later]] < every[STEPS[earlier]]).fill_null(False)  # noqa: FBT003
        for earlier, later in itertools.combinations(STEPS, 2)
    }
    wrong = every.mutate(wrong=_named(pairs))
    return marked(wrong.filter(wrong.wrong != ""), detail=wrong.wrong)


def plan_unpublished() -> ir.Table:
    """Return the orders of a plan that the catalogue knows, but which was not published on that day."""
    every = orders()
    return marked(every.semi_join(_PLANS.filter(~_PLANS.is_published), "plan"))


def plan_not_on_channel() -> ir.Table:
    """Return the orders of a published plan on a channel for which the catalogue does not allow it."""
    every, allowed = orders(), unbound("plan_channels", tables.PLAN_CHANNELS)
    bound = every.semi_join(_PLANS.filter(_PLANS.is_published & ~_PLANS.is_free), "plan")
    bound = bound.mutate(by_code=ibis.literal("code:") + bound.channel_code, by_kind=_kind(bound))
    for way in ("by_code", "by_kind"):
        other = allowed.view()  # without a name of its own Ibis could not tell the second join from the first
        bound = bound.anti_join(other, [bound.plan == other.plan, bound[way] == other.channel])
    return marked(bound)


def plan_unknown() -> ir.Table:
    """Return the orders of a plan code that the catalogue never had: somebody has to find out what it is."""
    every = orders()
    return marked(every.filter(every.plan.notnull()).anti_join(_PLANS, "plan"))


def _kind(every: ir.Table) -> ir.Value:
    return ibis.literal("kind:") + every.channel_kind.fill_null("")


def _named(wrong: dict[str, ir.Value]) -> ir.Value:
    """Return the names of what is true of an order, with ``AND`` between them."""
    empty = ibis.literal("")
    words = [is_wrong.ifelse(ibis.literal(f"{AND}{name}"), empty) for name, is_wrong in wrong.items()]
    joined = words[0]
    for word in words[1:]:
        joined += word
    return joined.substr(len(AND))
