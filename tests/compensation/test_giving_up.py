"""A drafted promise is given up by its author or turned down by a second person, once, and is never agreed to then."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.compensation.giving_up import give_up_policy, give_up_undertaking
from supervise.compensation.models import PromiseState, Undertaking
from supervise.compensation.promise_queries import UndertakingFilters, undertakings_newest
from supervise.compensation.promises import agree_policy, agree_undertaking
from supervise.desk.second_person_matters import policies, undertakings
from supervise.errors import AlreadyDecidedError, InvalidInputError
from tests.factories.compensation import make_policy, make_undertaking
from tests.factories.complaints import make_subscriber

SECOND = 951


def test_a_draft_that_was_given_up_waits_for_nobody_and_cannot_be_agreed_to(session: Session) -> None:
    draft = make_undertaking(session, subscriber=make_subscriber(session), state=PromiseState.DRAFT)

    give_up_undertaking(session, draft.id, "金额填写有误", actor_id=draft.drafted_by)

    assert session.execute(undertakings()).all() == []
    assert list(undertakings_newest(session, UndertakingFilters(state=PromiseState.DRAFT))) == []
    with pytest.raises(AlreadyDecidedError):
        agree_undertaking(session, draft.id, draft.version, actor_id=SECOND)
    with pytest.raises(AlreadyDecidedError):
        give_up_undertaking(session, draft.id, "再次", actor_id=SECOND)


def test_a_second_person_turns_the_draft_of_a_policy_down(session: Session) -> None:
    draft = make_policy(session, state=PromiseState.DRAFT)

    give_up_policy(session, draft.id, "标准未报批", actor_id=SECOND)

    assert session.execute(policies()).all() == []
    with pytest.raises(AlreadyDecidedError):
        agree_policy(session, draft.id, draft.version, actor_id=SECOND)


def test_what_is_in_force_is_not_given_up_and_nothing_without_a_reason(session: Session) -> None:
    victim = make_subscriber(session)
    running = make_undertaking(session, subscriber=victim)
    draft = make_undertaking(session, subscriber=make_subscriber(session), state=PromiseState.DRAFT, reference="CN-D")

    with pytest.raises(AlreadyDecidedError):
        give_up_undertaking(session, running.id, "不再执行", actor_id=SECOND)
    with pytest.raises(InvalidInputError):
        give_up_undertaking(session, draft.id, " ", actor_id=SECOND)


def test_the_database_keeps_a_promise_in_force_from_being_given_up(session: Session) -> None:
    running = make_undertaking(session, subscriber=make_subscriber(session))

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.update(Undertaking).where(Undertaking.id == running.id).values(given_up_by=1))
