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


def _strongest(grounds: ir.Table, incidents: ir.Table, officials: ir.Table) -> ir.Table:
    """Return the parties that the strongest grounds name, each once, with their grade, as of the incident's day.

    The holder of an official number is no candidate: anybody may show such a number, and others dial from it.
    """
    firm = grounds.filter(grounds.grade != Grade.C.value)
    firm = firm.filter(~((firm.ground == GroundKind.HOLDER.value) & firm.incident_id.isin(officials.incident_id)))
    best = firm.group_by("incident_id").aggregate(best=firm.grade.min())
    of_best = firm.join(best, [firm.incident_id == best.incident_id, firm.grade == best.best])
    parties = of_best.select(firm.incident_id, firm.party_id, firm.grade).distinct()
    return parties.join(incidents, parties.incident_id == incidents.incident_id).select(
        parties.incident_id, parties.party_id, parties.grade, incidents.on_day
    )


def _nearest(parties: ir.Table, lineage: ir.Table) -> ir.Table:
    """Return *parties* without those that stand above another of the same incident: the chain leads to them anyway."""
    others = parties.view()  # without a name of its own Ibis would compare each row with itself
    pairs = parties.join(others, [parties.incident_id == others.incident_id, parties.party_id != others.party_id])
    pairs = pairs.select(parties.incident_id, parties.party_id, parties.on_day, other_id=others.party_id)
    above = pairs.join(
        lineage,
        [
            pairs.other_id == lineage.party_id,
            pairs.party_id == lineage.member_id,
            pairs.on_day >= lineage.from_day,
            pairs.on_day < lineage.to_day,
        ],
    ).select(pairs.incident_id, pairs.party_id)
    return parties.anti_join(above, ["incident_id", "party_id"])


def _contradicted(grounds: ir.Table, chosen: ir.Table, officials: ir.Table, lineage: ir.Table) -> ir.Table:
    """Return the incidents in which a party outside the chain of the chosen one is named, or the chosen one denies."""
    named = grounds.filter(grounds.ground.isin([kind.value for kind in NAMING]))
    named = named.filter(~((named.ground == GroundKind.HOLDER.value) & named.incident_id.isin(officials.incident_id)))
    pairs = named.join(chosen, named.incident_id == chosen.incident_id).select(
        chosen.incident_id, chosen.party_id, chosen.on_day, named_id=named.party_id
    )
    on_that_day = [pairs.on_day >= lineage.from_day, pairs.on_day < lineage.to_day]
    below = [pairs.party_id == lineage.party_id, pairs.named_id == lineage.member_id]
    above = [pairs.named_id == lineage.party_id, pairs.party_id == lineage.member_id]
    related = ibis.union(
        *(pairs.join(lineage, [*tie, *on_that_day]).select(pairs.incident_id, pairs.named_id) for tie in (below, above))
    )
    denied = unbound("denied", DENIED)
    return ibis.union(
        pairs.anti_join(related, ["incident_id", "named_id"]).select("incident_id"),
        chosen.semi_join(denied, ["incident_id", "party_id"]).select("incident_id"),
    ).distinct()


def _every_outcome() -> ir.Table:
    incidents = unbound("incidents", matching.INCIDENTS)
    grounds = unbound("grounds", GROUNDS_QUERY.schema)
    lineage = unbound("lineage", registers.LINEAGE)
    found = unbound("found_calls", matching.FITTING_CALLS.schema)
    days = unbound("officials", registers.OFFICIALS)
    calls = incidents.filter(incidents.is_call)
    in_force = [calls.caller == days.digits, calls.on_day >= days.from_day, calls.on_day < days.to_day]
    officials = calls.semi_join(days, in_force)
    nearest = _nearest(_strongest(grounds, incidents, officials), lineage)
    counted = nearest.group_by("incident_id").aggregate(
        parties=nearest.count(), grade=nearest.grade.min(), chosen_id=nearest.party_id.min(), day=nearest.on_day.min()
    )
    chosen = counted.filter(counted.parties == 1).select("incident_id", party_id="chosen_id", on_day="day")
    contradicted = _contradicted(grounds, chosen, officials, lineage)
    joined = incidents.left_join(counted, incidents.incident_id == counted.incident_id)
    one = counted.parties == 1
    return joined.select(
        incident_id=incidents.incident_id,
        party_id=one.ifelse(counted.chosen_id, ibis.null()),
        grade=counted.grade,
        parties=counted.parties.fill_null(0),
        is_contradicted=incidents.incident_id.isin(contradicted.incident_id) | (counted.parties.fill_null(0) > 1),
        is_official=incidents.incident_id.isin(officials.incident_id),
        is_recorded=incidents.incident_id.isin(found.incident_id),
        is_covered=incidents.subscriber_index.notnull()
        & incidents.on_day.isin(unbound("covered", registers.COVERED).on_day),
    ).order_by("incident_id")


#: A row for each incident: ``party_id``, the only party that the strongest grounds name (of a chain, the one nearest to
#: the call; NULL: none, or several); ``grade``, theirs (``A``, ``B``; NULL: nothing that a verdict could rest on);
#: ``parties``, how many of different chains they name; ``is_contradicted``, another party is named as well or this one
#: denies; ``is_official``, the number was an official one; ``is_recorded``, there is a record of this very call;
#: ``is_covered``, records could tell: every platform delivered that day, and the called number is known.
OUTCOMES_QUERY = RecordQuery("outcomes", _every_outcome())
