import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.promises import end_undertaking
from supervise.errors import ConflictError
from tests.factories.compensation import APPROVER, make_undertaking
from tests.factories.complaints import make_subscriber

A_MONTH = dt.timedelta(days=30)


def test_one_person_may_bring_the_agreed_end_forward(session: Session) -> None:
    agreed = clock.now() + 2 * A_MONTH
    undertaking = make_undertaking(session, subscriber=make_subscriber(session), ends_at=agreed)

    ended = end_undertaking(session, undertaking.id, agreed - A_MONTH, reason="用户销户", actor_id=APPROVER)

    assert ended.ends_at == agreed - A_MONTH


@pytest.mark.parametrize("agreed_in", [A_MONTH, -A_MONTH])
def test_one_person_cannot_put_the_agreed_end_off(session: Session, agreed_in: dt.timedelta) -> None:
    starts_at, agreed = clock.now() - 3 * A_MONTH, clock.now() + agreed_in
    undertaking = make_undertaking(session, subscriber=make_subscriber(session), starts_at=starts_at, ends_at=agreed)

    with pytest.raises(ConflictError):
        end_undertaking(session, undertaking.id, clock.now() + 2 * A_MONTH, reason="延长", actor_id=APPROVER)

    assert undertaking.ends_at == agreed
