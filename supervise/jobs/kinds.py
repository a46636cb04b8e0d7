"""Which work can be done in the background: the name in the job's row, and the function that does it."""

from collections.abc import Callable, Mapping

from supervise.jobs import imports

#: ``work(surroundings, progress, actor_id, **arguments)``: opens its own sessions; doing it twice does it once.
#: A ``RefusalError`` ends the job with words for the user.
Work = Callable[..., None]

KINDS: Mapping[str, Work] = {
    imports.PREVIEW: imports.preview_import,
    imports.TAKE_OVER: imports.take_over_import,
}
