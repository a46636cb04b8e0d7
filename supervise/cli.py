"""Commands of ``flask``: each group stands for a subject; ``COMMANDS`` is what the application takes over."""

import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from supervise import clock, db, sealing
from supervise.audit import seal as trail
from supervise.config import Settings
from supervise.labels import _, ngettext
from supervise.ledger import beancount, seal
from supervise.ledger.verify import VerifyReport, verify
from supervise.penalties.recompute import recompute

ledger = AppGroup("ledger", help="The double-entry ledger: verify it, export it.")
audit = AppGroup("audit", help="The audit trail: seal it, verify it.")
penalties = AppGroup("supervise", help="Amounts: compute them again.")


def _settings() -> Settings:
    settings: Settings = current_app.extensions["supervise.settings"]
    return settings


@ledger.command("verify")
def verify_ledger() -> None:
    """Compute the whole ledger again; name the first row that does not hold and exit with 1."""
    anchors = _anchors(_settings().anchor_file)
    with db.reading() as session:
        report = verify(session, _settings().keyring, anchors)
    _print_report(report, len(anchors))
    if report.fault is not None:
        click.echo(_("Does not hold: %(fault)s", fault=str(report.fault)), err=True)
        sys.exit(1)
    click.echo(_("The ledger holds."))


def _anchors(file: Path) -> list[sealing.Anchor]:
    try:
        return sealing.read_anchors(file)
    except sealing.AnchorError as error:
        raise click.ClickException(str(error)) from error


def _print_report(report: VerifyReport, anchors: int) -> None:
    click.echo(ngettext("%(n)d journal entry read", "%(n)d journal entries read", report.entries))
    click.echo(_("%(seals)d seals, %(anchors)d anchors", seals=report.seals, anchors=anchors))
    if report.oldest_unsealed_at is not None:
        oldest = f"{report.oldest_unsealed_at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"
        click.echo(_("%(n)d entries not sealed yet, the oldest of %(oldest)s", n=report.unsealed, oldest=oldest))


@audit.command("verify")
def verify_audit() -> None:
    """Compute the seals of the audit trail again; name the first row that does not hold and exit with 1."""
    anchors = _anchors(trail.anchor_file_beside(_settings().anchor_file))
    with db.reading() as session:
        report = trail.verify_trail(session, _settings().keyring, anchors)
    click.echo(ngettext("%(n)d sealed event read", "%(n)d sealed events read", report.events))
    click.echo(_("%(seals)d seals, %(anchors)d anchors", seals=report.seals, anchors=len(anchors)))
    if report.oldest_unsealed_at is not None:
        oldest = f"{report.oldest_unsealed_at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"
        click.echo(_("%(n)d events not sealed yet, the oldest of %(oldest)s", n=report.unsealed, oldest=oldest))
    if report.fault is not None:
        click.echo(_("Does not hold: %(fault)s", fault=str(report.fault)), err=True)
        sys.exit(1)
    click.echo(_("The audit trail holds."))


@audit.command("seal")
def seal_audit() -> None:
    """Seal every event that no seal holds and anchor the new seals in the trail's anchor file."""
    new = db.decide(trail.seal_events, _settings().keyring)
    for anchor in new:
        sealing.append_anchor(trail.anchor_file_beside(_settings().anchor_file), anchor)
    click.echo(ngettext("%(n)d seal made", "%(n)d seals made", len(new)))


@ledger.command("seal")
def seal_ledger() -> None:
    """Seal every closed entry and anchor the newest seal in the anchor file."""
    new = db.decide(seal.seal_closed_entries, _settings().keyring)
    with db.reading() as session:
        anchor = seal.newest_anchor(session)
    if anchor is not None:
        # After the commit: an anchor of a seal that was rolled back would be a false alarm for ever.
        sealing.append_anchor(_settings().anchor_file, anchor)
    click.echo(ngettext("%(n)d seal made", "%(n)d seals made", len(new)))


@ledger.command("export")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; standard output if none.")
def export_ledger(output: Path | None) -> None:
    """Write the whole book as Beancount text."""
    with db.reading() as session:
        lines = (f"{line}\n" for line in beancount.beancount_lines(session))
        if output is None:
            sys.stdout.writelines(lines)
        else:
            with output.open("w", encoding="utf-8") as file:
                file.writelines(lines)


#: ``app.create_app`` adds each to ``app.cli``.
@penalties.command("recheck")
@click.option(
    "--named", type=click.IntRange(min=1), default=20, show_default=True, help="So many differences are named."
)
def recheck_penalties(named: int) -> None:
    """Compute every penalty again from scratch; name the first that differ from what is stored and exit with 1."""
    with db.reading() as session:
        found = recompute(session, named=named)
    click.echo(
        ngettext(
            "%(n)d penalty of %(contracts)d contracts computed again",
            "%(n)d penalties of %(contracts)d contracts computed again",
            found.penalties,
            contracts=found.contracts,
        )
    )
    for difference in found.differences:
        click.echo(str(difference), err=True)
    if found.differing:
        click.echo(ngettext("%(n)d difference", "%(n)d differences", found.differing), err=True)
        sys.exit(1)
    click.echo(_("Every penalty comes out as it is stored."))


COMMANDS = (ledger, audit, penalties)
