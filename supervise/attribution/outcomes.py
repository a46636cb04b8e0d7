"""What the grounds of an incident come to: one party or several, and whether anything says otherwise.

Grounds are never weighed against each other: a contradiction is shown, and makes the incident a person's decision.
"""

import ibis
import ibis.expr.types as ir

from supervise.attribution import registers
from supervise.attribution.grades import NAMING, Grade, GroundKind
from supervise.attribution.grounds import DENIED, GROUNDS_QUERY
from supervise.evidence import matching
from supervise.evidence.engine import RecordQuery, unbound


def _in_force(day: ir.Value, dated: ir.Table) -> list[ir.BooleanValue]:
    return [day >= dated.from_day, day < dated.to_day]


def _candidates(grounds: ir.Table, incidents: ir.Table) -> ir.Table:
    """Return the grounds as of the incident's day, but for the holder of an official number.

    That one is no candidate: anybody may show such a number, and others dial from it.
    """
    rows = grounds.select("incident_id", "ground", "grade", "party_id").join(
        incidents.select("incident_id", "is_official", day=incidents.on_day), "incident_id"
    )
    return rows.filter(~(rows.is_official & (rows.ground == GroundKind.HOLDER.value))).drop("is_official")


def _nearest(candidates: ir.Table, lineage: ir.Table) -> ir.Table:
    """Return the parties that the strongest grounds of an incident name, each once.

    A party that stands above another of them is left out: the chain leads to it anyway.
    """
    firm = candidates.filter(candidates.grade != Grade.C.value)
    # A column of its own: a window inside a filter is QUALIFY, which Spark does not know.
    ranked = firm.mutate(best=firm.grade.min().over(ibis.window(group_by=firm.incident_id)))
    parties = ranked.filter(ranked.grade == ranked.best).drop("ground", "best").distinct()
    others = parties.view()  # without a name of its own Ibis would compare each row with itself
    pairs = parties.join(others, [parties.incident_id == others.incident_id, parties.party_id != others.party_id])
    pairs = pairs.select(parties.incident_id, parties.party_id, parties.day, other_id=others.party_id)
    tie = [pairs.other_id == lineage.party_id, pairs.party_id == lineage.member_id]
    above = pairs.join(lineage, [*tie, *_in_force(pairs.day, lineage)]).select(pairs.incident_id, pairs.party_id)
    return parties.anti_join(above, ["incident_id", "party_id"])


def _contradicted(candidates: ir.Table, chosen: ir.Table, lineage: ir.Table) -> ir.Table:
    """Return the incidents in which a party outside the chain of the chosen one is named, or the chosen one denies."""
    named = candidates.filter(candidates.ground.isin([kind.value for kind in NAMING]))
    named = named.select("incident_id", named_id=named.party_id)
    pairs = named.join(chosen, "incident_id").filter(lambda pair: pair.named_id != pair.party_id)
    # Whichever of the two stands above the other.
    below = pairs.mutate(low=pairs.party_id, high=pairs.named_id)
    ties = ibis.union(below, pairs.mutate(low=pairs.named_id, high=pairs.party_id))
    tie = [ties.low == lineage.party_id, ties.high == lineage.member_id]
    related = ties.join(lineage, [*tie, *_in_force(ties.day, lineage)]).select(ties.incident_id, ties.named_id)
    denied = unbound("denied", DENIED)
    return ibis.union(
        pairs.anti_join(related, ["incident_id", "named_id"]).select("incident_id"),
        chosen.semi_join(denied, ["incident_id", "party_id"]).select("incident_id"),
    )


def _every_outcome() -> ir.Table:
    reported = unbound("incidents", matching.INCIDENTS)
    grounds = unbound("grounds", GROUNDS_QUERY.schema)
    lineage = unbound("lineage", registers.LINEAGE)
    found = unbound("found_calls", matching.FITTING_CALLS.schema)
    days = unbound("officials", registers.OFFICIALS)
    covered = unbound("covered", registers.COVERED)
    official = reported.semi_join(days, [reported.caller == days.digits, *_in_force(reported.on_day, days)])
    incidents = reported.select(
        "incident_id",
        "on_day",
        is_official=reported.is_call & reported.incident_id.isin(official.incident_id),
        is_recorded=reported.incident_id.isin(found.incident_id),
        is_covered=reported.subscriber_index.notnull() & reported.on_day.isin(covered.on_day),
    )
    candidates = _candidates(grounds, incidents)
    nearest = _nearest(candidates, lineage)
    counted = nearest.group_by("incident_id").aggregate(
        parties=nearest.count(), grade=nearest.grade.min(), party_id=nearest.party_id.min(), day=nearest.day.min()
    )
    chosen = counted.filter(counted.parties == 1).drop("parties", "grade")
    contradicted = _contradicted(candidates, chosen, lineage)
    joined = incidents.left_join(counted, incidents.incident_id == counted.incident_id)
    return joined.select(
        incident_id=incidents.incident_id,
        party_id=(counted.parties == 1).ifelse(counted.party_id, ibis.null()),
        grade=counted.grade,
        parties=counted.parties.fill_null(0),
        is_contradicted=incidents.incident_id.isin(contradicted.incident_id) | (counted.parties.fill_null(0) > 1),
        is_official=incidents.is_official,
        is_recorded=incidents.is_recorded,
        is_covered=incidents.is_covered,
    ).order_by("incident_id")


#: A row for each incident: ``party_id``, the only party that the strongest grounds name (of a chain, the one nearest to
#: the call; NULL: none, or several); ``grade``, theirs (``A``, ``B``; NULL: nothing that a verdict could rest on);
#: ``parties``, how many of different chains they name; ``is_contradicted``, another party is named as well or this one
#: denies; ``is_official``, the number was an official one; ``is_recorded``, there is a record of this very call;
#: ``is_covered``, records could tell: every platform delivered that day, and the called number is known.
OUTCOMES_QUERY = RecordQuery("outcomes", _every_outcome())
