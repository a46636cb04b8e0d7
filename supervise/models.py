"""Every table of the application: importing this module fills ``Base.metadata``."""

from supervise.files import models as files
from supervise.jobs import models as jobs
from supervise.parties import models as parties

__all__ = ["files", "jobs", "parties"]
