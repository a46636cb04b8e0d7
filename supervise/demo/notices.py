"""What the demo shows of notices: letters on paper reach those without an account, one objection is late, one asked."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.demo.registers import Registers
from supervise.parties.scope import Scope
from supervise.penalties.delivery import record_delivery
from supervise.penalties.exchange import ask_party
from supervise.penalties.models import Objection, Penalty, PenaltyState, WindowStart
from supervise.penalties.notice_models import Notice, NoticeState
from supervise.penalties.notice_queries import in_state
from supervise.penalties.objections import file_objection


def deliver_on_paper(registers: Registers, session: Session) -> None:
    """The supervisor posts what waits for it, two working days after its issue."""
    waiting = select(Notice).where(in_state(NoticeState.TO_POST, clock.today()))
    for notice in session.scalars(waiting.order_by(Notice.id)).all():
        record_delivery(
            session,
            notice.id,
            WindowStart.POSTED,
            clock.today(),
            f"EMS 11{notice.id:08d} 已签收",
            actor_id=registers.users["supervisor"],
        )


def contest(registers: Registers, session: Session) -> None:
    """The contact of 华信 objects to a final penalty, late, and to a recent one, about which it is asked."""
    party_id, contact = registers.parties["HX"], registers.users["partner"]
    scope = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({party_id}))
    objected = select(Objection.penalty_id)
    query = select(Penalty.id).where(Penalty.party_id == party_id, Penalty.id.not_in(objected))
    final = session.scalar(query.where(Penalty.state == PenaltyState.FINAL).order_by(Penalty.id.desc()).limit(1))
    recent = session.scalar(
        query.where(Penalty.state == PenaltyState.APPROVED, Penalty.objection_until_on >= clock.today())
        .order_by(Penalty.id)
        .limit(1)
    )
    if final is not None:
        body = "经办人离职交接，未在期限内提出：该坐席当日休假，排班表可证，请予受理。"
        file_objection(session, final, body, scope, actor_id=contact)
    if recent is not None:
        body = "主叫号码已于通话前一日退租，请核对号码台账。"
        objection = file_objection(session, recent, body, scope, actor_id=contact)
        question = "请提供退租受理单，并说明退租时间。"
        ask_party(session, objection.id, question, actor_id=registers.users["supervisor2"])
