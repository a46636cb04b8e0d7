"""A regulator's fine, a claim of it, a scan of its decision."""

import datetime as dt
from itertools import count

from sqlalchemy.orm import Session

from supervise.files.models import MediaType
from supervise.files.vault import NewFile, StoredFile
from supervise.penalties.fine_models import FinePaper, FineRecourse, RegulatorFine
from supervise.penalties.fines import FineFacts, add_fine_paper, record_fine
from supervise.penalties.recourse import propose_recourse
from tests.factories.parties import make_unit

FINANCE = 931
_serial = count(1)


def make_fine(
    session: Session, *, amount_fen: int = 100_000_00, decided_on: dt.date = dt.date(2026, 10, 8)
) -> RegulatorFine:
    """A fine on some unit of the carrier."""
    facts = FineFacts(
        authority="某省通信管理局",
        decision_number=f"通管罚字2026第{next(_serial)}号",
        decided_on=decided_on,
        received_on=dt.date(2026, 10, 12),
        unit_id=make_unit(session).id,
        subject="未经同意拨打营销电话",
        legal_basis="消费者权益保护法第五十六条",
        amount_fen=amount_fen,
    )
    return record_fine(session, facts, actor_id=FINANCE)


def make_recourse(
    session: Session, *, party_id: int, amount_fen: int = 60_000_00, decided_on: dt.date = dt.date(2026, 10, 8)
) -> FineRecourse:
    """A proposed claim of a new fine."""
    fine = make_fine(session, decided_on=decided_on)
    return propose_recourse(session, fine.id, party_id, amount_fen, "合同第十二条", actor_id=FINANCE)


def make_fine_paper(session: Session, fine_id: int) -> FinePaper:
    """A scan of a decision; no bytes lie in the vault."""
    file = NewFile(StoredFile(f"{fine_id:062x}fe", "0" * 64, 1_000), "处罚决定书.pdf", MediaType.PDF)
    return add_fine_paper(session, fine_id, file, actor_id=FINANCE)
