"""Which work can be done in the background: the name in the job's row, and the function that does it."""

from collections.abc import Callable, Mapping

from supervise.jobs import checking, evidence, imports, runs, sending, settling, weighing
from supervise.jobs.records import Outcome

#: ``work(surroundings, progress, actor_id, **arguments)``: opens its own sessions; doing it twice does it once.
#: What it returns stands in the job's row; a ``RefusalError`` ends the job with words for the user.
Work = Callable[..., Outcome | None]

KINDS: Mapping[str, Work] = {
    imports.PREVIEW: imports.preview_import,
    imports.TAKE_OVER: imports.take_over_import,
    sending.EXPORT: sending.write_export,
    checking.VERIFY: checking.verify_ledger,
    runs.RUN: runs.carry_out,
    evidence.IMPORT: evidence.import_records,
    settling.POST: settling.post_run,
    weighing.KIND: weighing.weigh_incidents,
}
