"""Why a file of records is not taken over: each reason has a name and a sentence that says what to do."""

from supervise.errors import ConflictError, InvalidInputError
from supervise.files.refusals import FileRefusedError
from supervise.labels import N_


class AlreadyImportedError(ConflictError):
    """The same bytes were taken over before: nothing is added."""

    message = N_("This very file was taken over before, as import %(import_id)d; nothing was added")


class CorrectedSinceError(ConflictError):
    """The bytes were taken over before, and others stand in their place: whether these are right again, people say."""

    message = N_(
        "This very file was taken over before, as import %(import_id)d, and its days were changed since; "
        "if they are to be again as this file says, import it as a correction"
    )


class ImportStateError(ConflictError):
    """The import is not under way any more, or another worker has it."""

    message = N_("This import is no longer under way; look at what became of it")


class DamagedParquetError(FileRefusedError):
    """Its end, where the columns are described, is missing or is not what the format says."""

    message = N_("The Parquet file is cut off or damaged; deliver it again")


class NestedColumnError(FileRefusedError):
    """A column of lists or structures."""

    message = N_('The column "%(column)s" holds no plain values; write it as text')


class TwoHeadingsError(FileRefusedError):
    """Which of the two is meant would be a guess."""

    message = N_('The columns "%(first)s" and "%(second)s" mean the same; keep one of them')


class NoRowsError(FileRefusedError):
    """A header and nothing else, and nobody said for which platform and days that is all."""

    message = N_("The file has no rows; if there were no records, say on which platform and in which days")


class NoGoodRowsError(FileRefusedError):
    """Each row has its reason; nothing is left to take over."""

    message = N_("None of the %(rows)d rows can be taken over; the reasons stand beside the rows")


class SourceKindError(InvalidInputError):
    """Orders from a platform of calls."""

    message = N_("The platform %(platform)s does not deliver records of this kind")


class PeriodError(InvalidInputError):
    """The days for which the file is said to be complete."""

    message = N_("The first day of the period must come before its end, and the period must not be longer than a year")


class NoRoomError(FileRefusedError):
    """The disk takes no more."""

    status = 507
    message = N_("The disk of the record store is full; nothing was taken over. Make room and import the file again")


class BrokenOffError(FileRefusedError):
    """Whoever read the file is gone."""

    message = N_("The import broke off; nothing was taken over. Import the file again")
