"""The family of pages that every module here adds to."""

from flask import Blueprint

from supervise.access.roles import Permission

bp = Blueprint("incidents", __name__, url_prefix="/incidents")
#: Who reads how calls are attributed: whoever decides, whoever confirms, whoever examines it later.
READERS = (Permission.TRIAGE, Permission.CONFIRM_OVERRIDES, Permission.READ_AUDIT)
#: Who says that nobody is charged for a proven offence, or that somebody is after all.
SPARERS = (Permission.TRIAGE, Permission.APPROVE_MONEY)
