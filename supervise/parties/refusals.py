"""What the registers refuse, in words that name the row in the way."""

from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_


class PeriodOrderError(InvalidInputError):
    """A period that ends before it starts, or at once."""

    message = N_("The end must be after the start")


class CodeTakenError(ConflictError):
    """Two units or parties of one code."""

    message = N_("The code %(code)s is taken by %(name)s")


class CreditCodeError(InvalidInputError):
    """A unified social credit code whose characters or check digit are wrong (GB 32100-2015)."""

    message = N_("%(code)s is not a unified social credit code: 18 characters, the last one checks the others")


class CreditCodeTakenError(ConflictError):
    """Two parties of one credit code (domain F20)."""

    message = N_("The credit code is already registered for %(name)s")


class CycleError(ConflictError):
    """A unit or a party would stand above itself on some day."""

    message = N_("%(name)s would stand above itself from %(day)s")


class OverlapError(ConflictError):
    """Two rows of one key in the same period."""

    message = N_("This overlaps another period")


class HolderOverlapError(OverlapError):
    """Two holders of a number at one moment (domain F23)."""

    message = N_("%(name)s holds %(digits)s from %(first)s until %(end)s")


class NumberTakenError(ConflictError):
    """A number that is in the register already."""

    message = N_("%(digits)s is in the register already")


class NotPortError(InvalidInputError):
    """Only a 106 port stands for longer numbers."""

    message = N_("Only a 106 port can stand for all numbers that begin with it; %(digits)s is none")


class NotHeldError(ConflictError):
    """A number that nobody holds cannot be handed over."""

    message = N_("Nobody holds the number at %(moment)s; enter a holder instead")


class UnknownCarrierError(InvalidInputError):
    """A carrier that this installation does not know."""

    message = N_("There is no carrier %(code)s")


class ProposalError(InvalidInputError):
    """A proposal that does not say all that is needed to do it."""

    message = N_("The proposal does not say everything it needs: %(fields)s")


class OfficialOverlapError(OverlapError):
    """A number that the carrier has declared for the same use."""

    message = N_("%(digits)s is declared for this use from %(first)s until %(end)s")


class StaffOverlapError(OverlapError):
    """A staff number that somebody still has (domain F25)."""

    message = N_("Staff number %(number)s belongs to a worker of %(name)s from %(first)s until %(end)s")


class RelationOverlapError(OverlapError):
    """Two parents in one role at a time (domain F21)."""

    message = N_("In this role the party already stands below %(name)s from %(first)s until %(end)s")


class CapabilityOverlapError(OverlapError):
    """A party that may do the same in the same area already (domain F26)."""

    message = N_("%(name)s may do this in this area already, from %(first)s until %(end)s")


class SalesChannelOverlapError(OverlapError):
    """A channel code that leads to somebody already (domain F31)."""

    message = N_("Channel %(code)s leads to %(name)s from %(first)s until %(end)s")


class NoSponsorError(InvalidInputError):
    """An external party that nobody in the carrier answers for (domain 6.2)."""

    message = N_("A registered party needs the branch or the party that it works for")


class UnitPartyError(ConflictError):
    """A branch is changed as an org unit; its party follows."""

    message = N_("%(name)s is a branch: change the org unit instead")


class MergedError(ConflictError):
    """The party or unit lives on in another."""

    message = N_("%(name)s was merged into %(other)s; use that one")


class ClosedUnitError(ConflictError):
    """A unit that no longer exists on that day."""

    message = N_("%(name)s is closed from %(day)s")


class TerminatedPartyError(ConflictError):
    """Nothing new is given to a terminated party."""

    message = N_("%(name)s is terminated")


class UnitHasChildrenError(ConflictError):
    """A unit with units below it cannot be closed."""

    message = N_("%(name)s still has units below it; move them first")


class OpenMoneyError(ConflictError):
    """A party with an open balance is not merged away (domain F27)."""

    message = N_("%(name)s has open amounts; a second person must approve the merger")


class NoSuchRowError(NotFoundError):
    """A row of a register that does not exist."""
