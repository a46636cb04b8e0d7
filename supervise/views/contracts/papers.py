"""What a contract says on paper: the checklist of clauses, and the scans of what was signed."""

import io
from typing import Any

from flask import flash, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.orm import Session
from wtforms import FieldList, FormField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.contracts import papers, queries
from supervise.contracts.checklist import ClauseCheck, ClauseLine, check_clauses, checklist_of
from supervise.contracts.models import Contract
from supervise.contracts.paper_models import PaperKind
from supervise.errors import NotFoundError
from supervise.files.media import SUFFIXES
from supervise.files.refusals import FileRefusedError
from supervise.files.uploads import PurgedError
from supervise.files.vault import opened_attachment, vault_folder
from supervise.labels import _, _l
from supervise.views.background import surroundings
from supervise.views.contracts.blueprint import KEEPERS, bp
from supervise.views.contracts.rule_rows import RowForm
from supervise.views.forms import Form, MemberField
from supervise.views.vaulting import stored_files

PRESENT, MISSING = "present", "missing"


class ClauseForm(RowForm):
    """A clause of the checklist, and what the paper says of it."""

    code = HiddenField()
    found = SelectField(_l("In the contract's text"), validators=[Optional()])
    reference = StringField(_l("Where, or what instead"), validators=[Optional(), Length(max=200)])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found.choices = [("", _("not looked at")), (PRESENT, _("has it")), (MISSING, _("lacks it"))]

    def holds_together(self) -> bool:
        """A clause that is there is somewhere."""
        if self.found.data == PRESENT and not (self.reference.data or "").strip():
            self.reference.errors = [_("Say where the paper has the clause")]
        if not self.found.data and (self.reference.data or "").strip():
            self.found.errors = [_("Choose whether the paper has it")]
        return not self.errors


class ChecklistForm(Form):
    """Every clause that is asked for."""

    clauses = FieldList(FormField(ClauseForm))

    def checks(self) -> list[ClauseCheck]:
        """Return what was found, and what nobody has looked at, after validation."""
        words = {PRESENT: True, MISSING: False}
        rows = [entry.form for entry in self.clauses]
        return [ClauseCheck(row.code.data, words.get(row.found.data), row.reference.data or "") for row in rows]


class PaperForm(Form):
    """A scan of what was signed."""

    kind = MemberField(_l("Kind"), PaperKind, validators=[InputRequired()])
    file = FileField(
        _l("Scan"),
        description=_l("One file, up to 50 MB"),
        validators=[FileRequired(_l("Choose a file"))],
        render_kw={"accept": ",".join(SUFFIXES)},
    )


class WithdrawForm(Form):
    """Why a scan does not belong to its contract."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)])


def on_paper(session: Session, contract: Contract) -> dict[str, Any]:
    """Return what the page of *contract* shows of its paper: checklist, scans, and who checked and added them."""
    checklist = checklist_of(session, contract) if contract.party_id is not None else []
    scans = papers.papers_of(session, contract.id)
    people = [line.found.checked_by for line in checklist if line.found is not None]
    people += [person for scan in scans for person in (scan.row.added_by, scan.row.withdrawn_by) if person is not None]
    return {
        "checklist": checklist,
        "papers": scans,
        "paper_people": display_names(session, people),
        "keeps_papers": any(current_user().can(permission) for permission in KEEPERS),
    }


@bp.route("/<int:contract_id>/clauses", methods=["GET", "POST"])
@require(*KEEPERS)
def clauses(contract_id: int) -> ResponseReturnValue:
    """Check which clauses the paper of a contract with a party has."""
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
        if contract.party_id is None:
            raise NotFoundError
        lines = checklist_of(session, contract)
    form = ChecklistForm(data={"clauses": [_shown(line) for line in lines]})
    back_url = url_for(".detail", contract_id=contract_id, _anchor="clauses")
    if not form.validate_on_submit():
        page = render_template(
            "contracts/clauses.html",
            form=form,
            contract=contract,
            asked={line.clause.code: line.clause for line in lines},
            back_url=back_url,
        )
        return page, 400 if form.errors else 200
    db.decide(check_clauses, contract_id, form.checks(), actor_id=current_user().id)
    flash(_("The checklist is kept"), "success")
    return redirect(back_url, code=303)


def _shown(line: ClauseLine) -> dict[str, Any]:
    found = line.found
    if found is None:
        return {"code": line.clause.code, "found": "", "reference": ""}
    return {
        "code": line.clause.code,
        "found": PRESENT if found.is_present else MISSING,
        "reference": found.reference or "",
    }


@bp.route("/<int:contract_id>/papers/new", methods=["GET", "POST"])
@require(*KEEPERS)
def new_paper(contract_id: int) -> ResponseReturnValue:
    """Keep a scan with its contract."""
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
    form = PaperForm()
    if form.validate_on_submit():
        try:
            # Outside any transaction: an upload may take minutes.
            [file] = stored_files([form.file.data])
        except FileRefusedError as error:
            form.file.errors = [str(error)]
    back_url = url_for(".detail", contract_id=contract_id, _anchor="papers")
    if not form.is_submitted() or form.errors:
        page = render_template("contracts/paper.html", form=form, contract=contract, back_url=back_url)
        return page, 400 if form.errors else 200
    db.decide(papers.add_paper, contract_id, form.kind.data, file, actor_id=current_user().id)
    flash(_("The paper is kept with the contract"), "success")
    return redirect(back_url, code=303)


@bp.get("/papers/<int:paper_id>")
@require(Permission.READ_CONTRACTS)
def paper(paper_id: int) -> ResponseReturnValue:
    """Give out a scan; who took it is recorded."""
    around = surroundings()
    with db.reading() as session:
        found = papers.paper_by_id(session, paper_id)
    try:
        with opened_attachment(found.attachment, vault_folder(around.instance), around.keyring) as plain:
            content = plain.read()
    except (FileRefusedError, PurgedError) as error:
        flash(str(error), "danger")
        return redirect(url_for(".detail", contract_id=found.row.contract_id, _anchor="papers"), code=303)
    db.decide(papers.record_download, paper_id, actor_id=current_user().id)
    return send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=found.attachment.file_name,
    )


@bp.route("/papers/<int:paper_id>/withdraw", methods=["GET", "POST"])
@require(*KEEPERS)
def withdraw_paper(paper_id: int) -> ResponseReturnValue:
    """Say that a scan does not belong here; it stays."""
    with db.reading() as session:
        found = papers.paper_by_id(session, paper_id)
        contract = queries.contract_by_id(session, found.row.contract_id)
    form = WithdrawForm()
    back_url = url_for(".detail", contract_id=contract.id, _anchor="papers")
    if not form.validate_on_submit():
        page = render_template(
            "contracts/paper.html", form=form, contract=contract, back_url=back_url, withdrawn=found.attachment
        )
        return page, 400 if form.errors else 200
    db.decide(papers.withdraw_paper, paper_id, form.reason.data, actor_id=current_user().id)
    flash(_("The paper is withdrawn; it stays with the reason"), "success")
    return redirect(back_url, code=303)
