"""The frame of every page: what the side bar offers to this user, and who they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, url_for

from supervise.access.roles import Permission, Role
from supervise.labels import LOCALES, N_, current_locale, translate

P = Permission

#: ``off`` rests the single-key shortcuts in this browser (WCAG 2.1.4); anything else means that they work.
KEYS_COOKIE = "supervise_keys"
_LANGUAGE_TAGS = {"zh_Hans": "zh-Hans", "en": "en"}


class ShownUser(Protocol):
    """What the frame shows of the user who is signed in."""

    @property
    def display_name(self) -> str:
        """The name that colleagues know."""

    @property
    def role(self) -> Role:
        """The user's one role."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the user may do now, as a deputy too."""


@dataclass(frozen=True)
class Entry:
    """One line of the side bar: shown if its endpoint exists and the user holds one of ``needs`` (none: everybody)."""

    endpoint: str
    label: str
    icon: str
    needs: frozenset[Permission] = frozenset()
    #: Blueprints whose pages belong to this line too.
    also: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Item:
    """A line of the side bar as it is shown; ``count`` says how many rows wait there."""

    url: str
    label: str
    icon: str
    active: bool
    count: int


@dataclass(frozen=True)
class Group:
    """Lines of the side bar under one heading."""

    label: str
    items: list[Item]


ENTRIES: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "",
        (
            Entry("home.index", N_("Home"), "house"),
            Entry("tickets.queue", N_("Tickets"), "inbox", frozenset({P.READ_TICKETS})),
            Entry(
                "incidents.unattributed",
                N_("To attribute"),
                "signpost-split",
                frozenset({P.TRIAGE, P.CONFIRM_OVERRIDES, P.READ_AUDIT}),
            ),
            Entry("inquiries.index", N_("Inquiries"), "question-circle", frozenset({P.READ_INQUIRIES})),
            Entry("watch.index", N_("Watching"), "binoculars", frozenset({P.READ_WATCH})),
            Entry("approvals.index", N_("To approve"), "check2-square", frozenset({P.APPROVE_MONEY})),
        ),
    ),
    (
        N_("Money"),
        (
            Entry("notices.index", N_("Notices"), "envelope-paper", frozenset({P.READ_PENALTIES})),
            Entry("penalties.index", N_("Penalties"), "exclamation-octagon", frozenset({P.READ_PENALTIES})),
            Entry("sanctions.index", N_("Sanctions"), "slash-circle", frozenset({P.READ_SANCTIONS})),
            Entry("scorecards.index", N_("Scorecards"), "speedometer2", frozenset({P.READ_SCORECARDS})),
            Entry("statements.index", N_("Statements"), "file-earmark-text", frozenset({P.READ_STATEMENTS})),
            Entry("fines.index", N_("Regulators' fines"), "bank", frozenset({P.READ_LEDGER})),
            Entry("recoveries.index", N_("Recoveries"), "arrow-counterclockwise", frozenset({P.READ_LEDGER})),
            Entry("credits.index", N_("Credits"), "cash-coin", frozenset({P.READ_CREDITS})),
            Entry(
                "batches.index",
                N_("Credit batches"),
                "box-seam",
                frozenset({P.EXPORT_CREDITS, P.APPROVE_REVERSALS, P.READ_AUDIT}),
            ),
            Entry("undertakings.index", N_("Undertakings"), "hand-thumbs-up", frozenset({P.READ_CONTRACTS})),
            Entry(
                "settlements.notices",
                N_("Settlement notices"),
                "envelope-paper",
                frozenset({P.ACKNOWLEDGE_PENALTIES}),
            ),
            Entry("settlements.index", N_("Settlement"), "calculator", frozenset({P.READ_LEDGER})),
            Entry("ledger.trial_balance", N_("General ledger"), "journal-text", frozenset({P.READ_LEDGER})),
            Entry("reports.index", N_("Reports"), "file-earmark-spreadsheet", frozenset({P.READ_REPORTS})),
        ),
    ),
    (
        N_("Registers"),
        (
            Entry(
                "parties.index",
                N_("Parties"),
                "diagram-3",
                frozenset({P.READ_REGISTERS}),
                also=frozenset({"relations", "capabilities", "sales_channels"}),
            ),
            Entry("org_units.index", N_("Org units"), "building", frozenset({P.READ_REGISTERS})),
            Entry("numbers.index", N_("Numbers"), "telephone", frozenset({P.READ_REGISTERS})),
            Entry("staff.index", N_("Staff numbers"), "person-badge", frozenset({P.READ_REGISTERS})),
            Entry(
                "register_proposals.index",
                N_("Proposals to the registers"),
                "clipboard-check",
                frozenset({P.PROPOSE_REGISTER_CHANGES, P.ACCEPT_REGISTER_CHANGES}),
            ),
            Entry("contracts.index", N_("Contracts and rules"), "file-earmark-ruled", frozenset({P.READ_CONTRACTS})),
            Entry("compliance_files.index", N_("Compliance files"), "folder-check", frozenset({P.READ_CONTRACTS})),
            Entry("month_figures.index", N_("Figures of the month"), "123", frozenset({P.READ_CONTRACTS})),
            Entry("records.index", N_("Records"), "database", frozenset({P.READ_TICKETS})),
            Entry("subscribers.index", N_("Subscribers"), "people", frozenset({P.READ_TICKETS})),
            Entry("permissions.index", N_("Refusals and consents"), "telephone-x", frozenset({P.READ_TICKETS})),
            Entry(
                "pushes.index",
                N_("Do-not-call pushes"),
                "megaphone",
                frozenset({P.READ_WATCH, P.ACKNOWLEDGE_PUSHES}),
            ),
        ),
    ),
    (
        N_("Administration"),
        (
            Entry(
                "imports.index",
                N_("File imports"),
                "upload",
                frozenset({P.IMPORT_TICKETS, P.WRITE_REGISTERS, P.EDIT_REFERENCE, P.SETTLE}),
            ),
            Entry("official_numbers.index", N_("Official numbers"), "telephone-forward", frozenset({P.READ_REFERENCE})),
            Entry("plans.index", N_("Plan catalogue"), "card-list", frozenset({P.READ_REFERENCE})),
            Entry(
                "reference.index",
                N_("Reference data"),
                "sliders",
                frozenset({P.READ_REFERENCE}),
                also=frozenset(
                    {
                        "approval_limits",
                        "checklists",
                        "consequence_rules",
                        "evidence_clocks",
                        "inquiry_terms",
                        "mediation_terms",
                        "reporter_thresholds",
                        "thresholds",
                    }
                ),
            ),
            Entry("deputies.index", N_("Deputies"), "person-check", frozenset({P.DELEGATE})),
            Entry("gl_map.index", N_("Accounting labels"), "tags", frozenset({P.EDIT_GL_MAP})),
            Entry("users.index", N_("Users"), "person-gear", frozenset({P.MANAGE_USERS})),
            Entry("audit.index", N_("Audit trail"), "clock-history", frozenset({P.READ_AUDIT})),
        ),
    ),
)


def navigation_for(user: ShownUser | None) -> list[Group]:
    """Return the side bar of *user*, without what does not exist or is not theirs; nothing for a stranger."""
    if user is None:
        return []
    groups = []
    for label, entries in ENTRIES:
        items = [_item(entry) for entry in entries if _is_offered(entry, user)]
        if items:
            groups.append(Group(translate(label), items))
    return groups


def _is_offered(entry: Entry, user: ShownUser) -> bool:
    exists = entry.endpoint in current_app.view_functions
    return exists and (not entry.needs or not entry.needs.isdisjoint(user.permissions))


def _item(entry: Entry) -> Item:
    blueprint = entry.endpoint.partition(".")[0]
    waiting: dict[str, int] = g.get("waiting", {})
    return Item(
        url=url_for(entry.endpoint),
        label=translate(entry.label),
        icon=entry.icon,
        active=request.endpoint == entry.endpoint or request.blueprint in {blueprint, *entry.also},
        count=waiting.get(entry.endpoint, 0),
    )


@dataclass(frozen=True)
class Shell:
    """What the frame of a page needs; a URL is None where the application has no such page."""

    version: str
    demo: bool
    user: ShownUser | None
    language: str
    other_locale: str
    other_language: str
    #: This page's own address, for a form that comes back to it.
    here: str
    #: The page before, if it was one of ours.
    back_url: str | None
    home_url: str
    login_url: str | None
    logout_url: str | None
    profile_url: str | None
    language_url: str | None
    keys_url: str | None
    keys_on: bool


def register_shell(app: Flask, *, version: str, demo: bool, current_user: Callable[[], ShownUser | None]) -> None:
    """Give every template of *app* ``shell`` and ``navigation``; *current_user* returns None for a stranger."""
    app.jinja_env.globals["url_of"] = url_of

    @app.context_processor
    def frame() -> dict[str, Any]:
        user = current_user()
        return {"shell": _shell(version, user, demo=demo), "navigation": navigation_for(user)}


def _shell(version: str, user: ShownUser | None, *, demo: bool) -> Shell:
    locale = current_locale()
    other_locale = next(known for known in LOCALES if known != locale)
    return Shell(
        version=version,
        demo=demo,
        user=user,
        language=_LANGUAGE_TAGS[locale],
        other_locale=other_locale,
        other_language=_LANGUAGE_TAGS[other_locale],
        # Only the path of a page that can be shown again: a form's own address may take POST alone.
        here=request.full_path.rstrip("?") if request.method == "GET" else url_of("home.index") or "/",
        back_url=_back_url(),
        home_url=url_of("home.index") or "/",
        login_url=url_of("session.login"),
        logout_url=url_of("session.logout"),
        profile_url=url_of("account.profile"),
        language_url=url_of("preferences.language"),
        keys_url=url_of("preferences.keys"),
        keys_on=request.cookies.get(KEYS_COOKIE) != "off",
    )


def url_of(endpoint: str, **values: Any) -> str | None:
    """Return the address of *endpoint*, or None if the application has no such page."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None


def _back_url() -> str | None:
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc != request.host or referrer.path == request.path:
        return None
    return f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path
