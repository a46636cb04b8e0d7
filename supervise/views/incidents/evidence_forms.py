"""The forms of an incident's evidence and of its verification log."""

from collections.abc import Sequence
from typing import Any

from flask_wtf.file import FileField, FileRequired
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from supervise.attribution.incident_evidence import Evidence
from supervise.attribution.proof_models import AttachmentKind, VerificationKind, VerificationOutcome
from supervise.attribution.verification import Verified
from supervise.files.media import SUFFIXES
from supervise.labels import _, _l
from supervise.views.forms import Form, MemberField, MomentField


class EvidenceForm(Form):
    """A file that shows something of the call."""

    file = FileField(
        _l("File"),
        description=_l("PDF, picture, recording, video, XLSX, DOCX, CSV, text or e-mail; at most 50 MB"),
        validators=[FileRequired(_l("Choose a file"))],
        render_kw={"accept": ",".join(SUFFIXES)},
    )
    evidence_kind = MemberField(_l("What it is"), AttachmentKind, validators=[InputRequired()])
    source = StringField(
        _l("Source"),
        description=_l("Who handed it in, or from which system it was taken"),
        validators=[InputRequired(_l("Say where the file comes from")), Length(min=2, max=200)],
    )


class VerificationForm(Form):
    """An entry of the verification log."""

    verification_kind = MemberField(_l("Verified by"), VerificationKind, validators=[InputRequired()])
    outcome = MemberField(_l("Outcome"), VerificationOutcome, validators=[InputRequired()])
    what = TextAreaField(
        _l("What was heard, seen or read"),
        validators=[InputRequired(_l("Say what was heard, seen or read")), Length(max=2_000)],
    )
    verified_at = MomentField(_l("When"), description=_l("Empty: now"), validators=[Optional()])
    verifier = StringField(_l("Who verified"), description=_l("Empty: you"), validators=[Optional(), Length(max=100)])
    attachment_id = SelectField(_l("Belongs to"), validators=[Optional()])

    def __init__(self, evidence: Sequence[Evidence], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        usable = [one for one in evidence if one.link.withdrawn_at is None]
        named = [(str(one.attachment.id), one.attachment.file_name) for one in usable]
        self.attachment_id.choices = [("", _("No attachment")), *named]

    @property
    def found(self) -> Verified:
        """The entry as the decision takes it."""
        return Verified(
            self.verification_kind.data,
            self.outcome.data,
            self.what.data or "",
            self.verified_at.data,
            self.verifier.data or None,
            int(self.attachment_id.data) if self.attachment_id.data else None,
        )
