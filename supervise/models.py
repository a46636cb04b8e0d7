"""Every table of the application: importing this module fills ``metadata``."""

from supervise.access import models as access
from supervise.attribution import inquiry_models as inquiries
from supervise.attribution import models as attribution
from supervise.attribution import proof_models as proofs
from supervise.attribution import traceback_models as tracebacks
from supervise.attribution import watch_models as watching
from supervise.attribution.watching import models as irregularities
from supervise.audit import models as audit
from supervise.compensation import models as compensation
from supervise.complaints import dispute_models as disputes
from supervise.complaints import models as complaints
from supervise.contracts import models as contracts
from supervise.contracts import paper_models as papers
from supervise.db import Base
from supervise.desk import models as desk
from supervise.donotcall import models as donotcall
from supervise.donotcall import push_models as pushes
from supervise.evidence import models as evidence
from supervise.files import models as files
from supervise.jobs import models as jobs
from supervise.ledger import models as ledger
from supervise.parties import file_models as party_files
from supervise.parties import merge_models as mergers
from supervise.parties import models as parties
from supervise.parties import sanction_models as sanctions
from supervise.penalties import adjustment_models as adjustments
from supervise.penalties import figure_models as figures
from supervise.penalties import fine_models as fines
from supervise.penalties import models as penalties
from supervise.penalties import notice_models as notices
from supervise.penalties import recovery_models as recoveries
from supervise.penalties import score_models as scores
from supervise.penalties import spare_models as sparings
from supervise.settlement import models as settlement

metadata = Base.metadata

__all__ = [
    "access",
    "adjustments",
    "attribution",
    "audit",
    "compensation",
    "complaints",
    "contracts",
    "desk",
    "disputes",
    "donotcall",
    "evidence",
    "figures",
    "files",
    "fines",
    "inquiries",
    "irregularities",
    "jobs",
    "ledger",
    "mergers",
    "metadata",
    "notices",
    "papers",
    "parties",
    "party_files",
    "penalties",
    "proofs",
    "pushes",
    "recoveries",
    "sanctions",
    "scores",
    "settlement",
    "sparings",
    "tracebacks",
    "watching",
]
