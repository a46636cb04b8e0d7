"""What the ledger refuses, by name."""

from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_


class InvalidEntryError(InvalidInputError):
    """A draft that no ledger would take: out of balance, one line, mixed families, a wrong dimension."""

    message = N_("This journal entry is not valid")


class KeyReusedError(ConflictError):
    """The same idempotency key came back with other content: two facts cannot share it."""

    message = N_("Something else was already posted as %(key)s")


class NoOpenPeriodError(ConflictError):
    """No open month may take a fact of that day."""

    message = N_("No open period takes a fact of %(day)s: finance opens one")


class PeriodStateError(ConflictError):
    """The month is not in the state, or not in the place, that opening or closing needs."""

    message = N_("The period %(month)s cannot be opened or closed now")


class ReversalError(ConflictError):
    """A reversal that takes back what is not there, or more than is left."""

    message = N_("Journal entry %(entry)d cannot be reversed by this amount")


class FutureDateError(InvalidInputError):
    """A balance or a fact of a day that has not come."""

    message = N_("%(day)s has not come yet")
