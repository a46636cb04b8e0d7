"""Who may call an endpoint: declared beside each view, enforced in one place, refused where it is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask

from supervise.access.roles import Permission

_View = TypeVar("_View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Policy:
    """The rule of one endpoint."""

    #: Any of these is enough; empty: whoever is signed in.
    permissions: frozenset[Permission] = frozenset()
    is_public: bool = False
    #: Open to a user who still has to replace an initial password.
    before_password_change: bool = False


PUBLIC = Policy(is_public=True)
SIGNED_IN = Policy()


def require(*permissions: Permission) -> Callable[[_View], _View]:
    """Declare that a view needs one of *permissions*; ``enforce`` in ``supervise.access.identity`` asks for it."""
    if not permissions:
        raise ValueError("name a permission, or use signed_in or public")
    return _declare(Policy(frozenset(permissions)))


def public(view: _View) -> _View:
    """Declare that a view is open to strangers."""
    return _declare(PUBLIC)(view)


def signed_in(view: _View) -> _View:
    """Declare that a view is open to every user: the own profile, the home page."""
    return _declare(SIGNED_IN)(view)


def signed_in_with_initial_password(view: _View) -> _View:
    """Declare that a view is open even to a user who must first choose a password."""
    return _declare(Policy(before_password_change=True))(view)


def _declare(policy: Policy) -> Callable[[_View], _View]:
    def mark(view: _View) -> _View:
        if hasattr(view, "policy"):
            raise ValueError(f"{view.__qualname__} has two policies")
        view.policy = policy  # type: ignore[attr-defined]
        return view

    return mark


def declare_endpoint(app: Flask, endpoint: str, policy: Policy) -> None:
    """Declare the policy of an *endpoint* that a library brings, such as static files."""
    app.extensions.setdefault("supervise.policies", {})[endpoint] = policy


def policy_of(app: Flask, endpoint: str) -> Policy | None:
    """Return the declared policy of *endpoint*; None means that every request to it is refused."""
    of_libraries: dict[str, Policy] = app.extensions.get("supervise.policies", {})
    view = app.view_functions.get(endpoint)
    policy: Policy | None = of_libraries.get(endpoint) or getattr(view, "policy", None)
    return policy
