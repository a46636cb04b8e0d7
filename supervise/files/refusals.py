"""Why a file is not read at all: each reason has a name and a sentence that says what to do."""

from supervise.errors import RefusalError
from supervise.labels import N_


class FileRefusedError(RefusalError):
    """The file as a whole is refused; nothing of it was taken over."""

    status = 422
    message = N_("The file cannot be read")


class UploadTooLargeError(FileRefusedError):
    """More bytes than an upload may have."""

    status = 413
    message = N_("The file is larger than %(limit)d MB; split it")


class EmptyFileError(FileRefusedError):
    """Nothing but space."""

    message = N_("The file is empty")


class NotASpreadsheetError(FileRefusedError):
    """Its first bytes say that it is something else, whatever its name."""

    message = N_("This is a %(kind)s file; save the table as XLSX or CSV")


class NotAWorkbookError(FileRefusedError):
    """An archive of another kind: DOCX, ODS, XLSB, plain ZIP."""

    message = N_("This archive is not an Excel workbook; save the table as XLSX or CSV")


class WebPageError(FileRefusedError):
    """HTML or XML under the name of a spreadsheet, as some portals export it."""

    message = N_("This is a web page under the name of a spreadsheet; open it in Excel and save it as XLSX")


class OldExcelError(FileRefusedError):
    """The binary format before 2007."""

    message = N_("This is the old Excel format (XLS); open it and save it as XLSX")


class PasswordProtectedError(FileRefusedError):
    """Encrypted as a whole."""

    message = N_("The file is protected by a password; save it without one")


class MacroError(FileRefusedError):
    """Code inside."""

    message = N_("The workbook contains macros; save it as XLSX without macros")


class ExternalLinkError(FileRefusedError):
    """Values that come from elsewhere."""

    message = N_("The workbook takes values from other files; paste them as values and save it again")


class BombError(FileRefusedError):
    """An archive that unpacks to far more than a real workbook would."""

    message = N_("The workbook unpacks to far more than a real table holds; it was not opened")


class DamagedFileError(FileRefusedError):
    """Truncated, or not what the format says."""

    message = N_("The file is damaged; open it, save it again, and upload the new file")


class EncodingError(FileRefusedError):
    """No encoding fits all bytes; reading on would put wrong characters into the record."""

    message = N_("The text is neither UTF-8 nor GB18030 throughout; save the file as CSV UTF-8 or as XLSX")


class QuotationError(FileRefusedError):
    """A quotation mark that does not close makes one cell of many rows."""

    message = N_("The quotation marks in or before row %(row)d do not match")


class MissingColumnsError(FileRefusedError):
    """No row near the top has the columns that are needed."""

    message = N_("No header row was found: these columns are missing: %(columns)s")


class DuplicateColumnError(FileRefusedError):
    """Which of the two is meant would be a guess."""

    message = N_('Two columns are called "%(column)s"; rename or remove one')


class SeveralSheetsError(FileRefusedError):
    """Which of the two is meant would be a guess."""

    message = N_('The sheets "%(first)s" and "%(second)s" both have these columns; keep one sheet in a file')


class TooManyRowsError(FileRefusedError):
    """More rows than one import takes."""

    message = N_("The file has more than %(limit)d rows; split it")


class TooManyColumnsError(FileRefusedError):
    """More columns than any table here has."""

    message = N_("The file has more than %(limit)d columns; remove those that are not needed")


class TooManyErrorCellsError(FileRefusedError):
    """Nothing to mend row by row."""

    message = N_("More than %(limit)d cells show an error or a formula without a value")


class OutOfMemoryError(FileRefusedError):
    """The parser wanted more than it may have."""

    message = N_("The file needs too much memory to read; split it or save it as CSV")


class TimedOutError(FileRefusedError):
    """The parser took longer than it may."""

    message = N_("The file takes too long to read; split it or save it as CSV")


#: By the name that the reading child sends.
REFUSALS = {
    kind.__name__: kind
    for kind in (
        EmptyFileError,
        NotASpreadsheetError,
        NotAWorkbookError,
        WebPageError,
        OldExcelError,
        PasswordProtectedError,
        MacroError,
        ExternalLinkError,
        BombError,
        DamagedFileError,
        EncodingError,
        QuotationError,
        MissingColumnsError,
        DuplicateColumnError,
        SeveralSheetsError,
        TooManyRowsError,
        TooManyColumnsError,
        TooManyErrorCellsError,
        OutOfMemoryError,
        TimedOutError,
    )
}
