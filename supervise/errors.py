"""Refusals: each has a name, an HTTP status and a sentence that is translated where it is shown."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from supervise.labels import N_, translate

Parameters = Mapping[str, str | int]


class RefusalError(Exception):
    """The system says no, in words that the user can act on.

    A subclass sets ``status`` and a default ``message`` (a message id with ``%(name)s`` places);
    the places are filled from the keyword arguments. Errors are stored as (message id, parameters).
    """

    status: ClassVar[int] = 400
    message: ClassVar[str] = N_("This cannot be done")

    def __init__(self, message: str | None = None, **parameters: str | int) -> None:
        self.message_id = message or self.message
        self.parameters: Parameters = parameters
        super().__init__(self.message_id, parameters)

    def __str__(self) -> str:
        return translate(self.message_id, dict(self.parameters))


class InvalidInputError(RefusalError):
    """A value breaks a rule that the form could not check alone."""

    status = 422
    message = N_("The input is not valid")


class NotPermittedError(RefusalError):
    """The role may not do this."""

    status = 403
    message = N_("Your role does not allow this")


class NotFoundError(RefusalError):
    """The row does not exist or lies outside the user's scope; the two look the same."""

    status = 404
    message = N_("There is no such page or record, or it is not yours to see")


class ConflictError(RefusalError):
    """The row changed meanwhile, or the state does not allow the step."""

    status = 409
    message = N_("This was changed by someone else meanwhile; reload and look again")


class AlreadyDecidedError(ConflictError):
    """A second decision on what was decided before."""

    message = N_("This has already been decided")


class SamePersonError(ConflictError):
    """Maker and approver must be two people."""

    message = N_("A second person must do this: you made the proposal yourself")


class RowResult(NamedTuple):
    """What became of one row of a bulk decision: done, or refused with the reason."""

    subject_id: int
    refusal: RefusalError | None = None
