"""Files that correct: what stands against putting them in the place of what was delivered before."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.evidence.models import RecordImport, RecordPartition
from supervise.evidence.rows import Refused
from supervise.files.refusals import FileRefusedError
from supervise.labels import N_


class LostRowsError(FileRefusedError):
    """A correction whose refused rows would vanish from the days that it replaces; they stand beside the refusal."""

    status = 409
    message = N_(
        "Refused rows: %(rows)d. The days that this correction replaces would lose them, so nothing was replaced. The "
        "reasons stand beside the rows: mend them, or import the file again and say that you accept as many refused "
        "rows"
    )

    def __init__(self, refused: Refused) -> None:
        super().__init__(rows=refused.rows)
        self.refused = refused


def refuse_lost_rows(batch: RecordImport, refused: Refused) -> None:
    """Refuse a correction with other refused rows than somebody has seen and accepted.

    Raises:
        LostRowsError: with the rows.
    """
    if batch.corrects and refused.rows not in {0, batch.refused_accepted}:
        raise LostRowsError(refused)


def is_changed_since(session: Session, earlier: RecordImport) -> bool:
    """Say whether a later import brought, or corrected, records of the days that *earlier* spoke of."""
    later = (
        select(RecordImport.id)
        .join(
            RecordPartition,
            or_(RecordPartition.import_id == RecordImport.id, RecordPartition.superseded_by_id == RecordImport.id),
        )
        .where(
            RecordImport.kind == earlier.kind,
            RecordImport.id != earlier.id,
            RecordImport.finished_at >= earlier.finished_at,
            RecordPartition.on_day >= earlier.covers_from,
            RecordPartition.on_day < earlier.covers_to,
        )
    )
    if earlier.source_id is not None:
        later = later.where(RecordPartition.source_id == earlier.source_id)
    return session.scalar(later.limit(1)) is not None
