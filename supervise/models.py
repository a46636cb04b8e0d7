"""Every table of the application: importing this module fills ``Base.metadata``."""

from supervise.attribution import models as attribution
from supervise.compensation import models as compensation
from supervise.complaints import models as complaints
from supervise.contracts import models as contracts
from supervise.desk import models as desk
from supervise.donotcall import models as donotcall
from supervise.files import models as files
from supervise.jobs import models as jobs
from supervise.parties import models as parties
from supervise.penalties import models as penalties

__all__ = [
    "attribution",
    "compensation",
    "complaints",
    "contracts",
    "desk",
    "donotcall",
    "files",
    "jobs",
    "parties",
    "penalties",
]
