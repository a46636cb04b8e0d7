"""The chain from the caller up to the branch that answers, as of the day of the call."""

import datetime as dt

from sqlalchemy import event
from sqlalchemy.orm import Session

from supervise.parties.chain import chain_at, chains_at, sponsoring_unit
from supervise.parties.models import PartyKind, RelationRole
from tests.factories.parties import make_party, make_relation, make_unit, unit_party

CALL = dt.date(2026, 3, 5)
DAY = dt.timedelta(days=1)


def test_a_worker_leads_over_employer_outsourcer_and_agent_to_the_branch(session: Session) -> None:
    branch = make_unit(session, name="城关")
    agent = make_party(session, name="代理商", sponsor=branch)
    outsourcer = make_party(session, name="外包商", kind=PartyKind.OUTSOURCER)
    worker = make_party(session, name="话务员", kind=PartyKind.EMPLOYEE_CALLER, is_person=True)
    make_relation(session, child=outsourcer, parent=agent, role=RelationRole.CONTRACTED_BY)
    make_relation(session, child=worker, parent=outsourcer, role=RelationRole.STAFFED_TO)

    chain = chain_at(session, worker.id, CALL)

    assert [(link.name, link.role) for link in chain] == [
        ("话务员", None),
        ("外包商", RelationRole.STAFFED_TO),
        ("代理商", RelationRole.CONTRACTED_BY),
        ("城关", RelationRole.SPONSORED_BY),
    ]
    assert sponsoring_unit(chain) == branch.id


def test_a_branch_is_a_chain_of_its_own(session: Session) -> None:
    branch = make_unit(session)

    chain = chain_at(session, unit_party(session, branch).id, CALL)

    assert [link.unit_id for link in chain] == [branch.id]


def test_the_day_of_the_call_decides_who_sponsored(session: Session) -> None:
    old, new = make_unit(session, name="旧"), make_unit(session, name="新")
    agent = make_party(session)
    make_relation(session, child=agent, parent=unit_party(session, old), valid_to=CALL)
    make_relation(session, child=agent, parent=unit_party(session, new), valid_from=CALL)

    chains = chains_at(session, [(agent.id, CALL - DAY), (agent.id, CALL)])

    assert sponsoring_unit(chains[agent.id, CALL - DAY]) == old.id
    assert sponsoring_unit(chains[agent.id, CALL]) == new.id


def test_a_gap_in_the_register_leaves_the_chain_without_a_branch(session: Session) -> None:
    agent = make_party(session)
    make_relation(session, child=agent, parent=unit_party(session, make_unit(session)), valid_from=CALL + DAY)

    chain = chain_at(session, agent.id, CALL)

    assert [link.party_id for link in chain] == [agent.id]
    assert sponsoring_unit(chain) is None


def test_the_sponsor_goes_before_a_branch_that_only_contracts(session: Session) -> None:
    province, city = make_unit(session, name="省"), make_unit(session, name="市")
    agent = make_party(session)
    make_relation(session, child=agent, parent=unit_party(session, province), role=RelationRole.CONTRACTED_BY)
    make_relation(session, child=agent, parent=unit_party(session, city))

    assert sponsoring_unit(chain_at(session, agent.id, CALL)) == city.id


def test_where_the_top_has_no_sponsor_the_nearest_below_it_has_the_say(session: Session) -> None:
    branch = make_unit(session)
    agent = make_party(session, name="代理商", sponsor=branch)
    unsponsored = make_party(session, name="上级公司")
    make_relation(session, child=agent, parent=unsponsored, role=RelationRole.SUB_AGENT_OF)

    chain = chain_at(session, agent.id, CALL)

    assert [link.name for link in chain[:2]] == ["代理商", "上级公司"]
    assert sponsoring_unit(chain) == branch.id


def test_a_merged_party_answers_as_the_one_it_lives_on_in(session: Session) -> None:
    branch = make_unit(session)
    claimed, registered = make_party(session, name="拓见东莞"), make_party(session, name="拓见", sponsor=branch)
    claimed.merged_into_id = registered.id

    chain = chain_at(session, claimed.id, CALL)

    assert [link.party_id for link in chain] == [registered.id, unit_party(session, branch).id]


def test_ties_of_the_merged_entry_still_count(session: Session) -> None:
    branch = make_unit(session)
    tied, survivor = make_party(session, sponsor=branch), make_party(session)
    tied.merged_into_id = survivor.id

    assert sponsoring_unit(chain_at(session, survivor.id, CALL)) == branch.id


def test_a_circle_that_slipped_in_does_not_hang(session: Session) -> None:
    one, other = make_party(session), make_party(session)
    make_relation(session, child=one, parent=other, role=RelationRole.CONTRACTED_BY)
    make_relation(session, child=other, parent=one, role=RelationRole.CONTRACTED_BY)

    assert [link.party_id for link in chain_at(session, one.id, CALL)] == [one.id, other.id]


def test_an_unknown_party_has_no_chain(session: Session) -> None:
    assert chain_at(session, 987_654_321, CALL) == []


def test_thousands_of_chains_take_a_handful_of_queries(session: Session) -> None:
    branch = make_unit(session)
    agents = [make_party(session, sponsor=branch) for _ in range(50)]
    pairs = [(agent.id, CALL + DAY * day) for agent in agents for day in range(60)]
    session.flush()
    statements: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))

    chains = chains_at(session, pairs)

    assert len(chains) == 3_000
    assert {sponsoring_unit(chain) for chain in chains.values()} == {branch.id}
    assert len(statements) <= 8
