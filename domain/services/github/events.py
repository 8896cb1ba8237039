"""What a delivery of GitHub's says: whom it is about, what it may mean, and its standardized shape.

Called by webhooks.py, calls nobody. It takes whatever a body holds: what can't be understood is left out.

Only two things name a grant: an installation's number, and the person who withdraws an authorization. The owner of a
repository and who acted don't: they may be connected by another team too, with a token that reaches less, and what
goes on here isn't for that team. So a delivery without an installation's number is about nobody's connection.

GitHub signs the body and not the event's name, so that whoever has recorded a body could send it again as another
event: a deleted label as a deleted installation. A body counts for an event only if it has the shape that GitHub gives
to that event and to no other.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Final

from domain.entities.health import Json
from domain.services.github.api import SERVICE_ID
from domain.services.github.installations import installation_key
from domain.services.github.repositories import read_repository
from domain.services.github.shapes import shape_of
from domain.services.webhooks import (
    RepositoriesChanged,
    ScopesChanged,
    Suspended,
    Unsuspended,
    WebhookEffect,
    WebhookMessage,
    Withdrawn,
)


def account_key(account_id: int | str) -> str:
    """What webhooks call what a person has authorized: the `Identity.webhook_key`."""
    return f"account:{account_id}"


def read_event(name: str, body: Json, web_url: str) -> WebhookMessage:
    """`name` is the header's, such as `issue_comment`."""
    document = _object(body)
    action = document.get("action")
    effects, occurred_at = _effects(name, action if isinstance(action, str) else "", document, web_url)
    event = {"service": SERVICE_ID, "type": name, **shape_of(name, document)}
    return WebhookMessage(_keys(name, document), effects, event, occurred_at)


def _keys(name: str, document: Mapping[str, Json]) -> tuple[str, ...]:
    if name == "github_app_authorization":
        if not _is_shaped_as(name, document):
            return ()
        person = _number(_object(document.get("sender")).get("id"))
        return () if person is None else (account_key(person),)
    installation = _number(_object(document.get("installation")).get("id"))
    return () if installation is None else (installation_key(installation),)


def _effects(
    name: str, action: str, document: Mapping[str, Json], web_url: str
) -> tuple[Sequence[WebhookEffect], datetime | None]:
    if not _is_shaped_as(name, document):
        return _LOOK_ANEW[name], None
    match name, action:
        case "installation", "suspend":
            return (_SUSPENDED,), _moment(_object(document.get("installation")).get("suspended_at"))
        case (("installation" | "github_app_authorization"), _):
            effect = _GRANT_EFFECTS.get((name, action))
            return () if effect is None else (effect,), None
        case "installation_repositories", _:
            return (_repositories_changed(document, web_url),), None
        case ("repository", _) | ("public", _):
            effect = _repository_changed("publicized" if name == "public" else action, document, web_url)
            return () if effect is None else (effect,), None
        case _:
            return (), None


def _is_shaped_as(name: str, document: Mapping[str, Json]) -> bool:
    """Whether the body can be one of that event's. Events without effect may have any."""
    if name == "installation" and not {"account", "app_id"} <= _object(document.get("installation")).keys():
        return False
    if name == "github_app_authorization" and document.get("action") != "revoked":
        return False
    return name not in _PARTS or document.keys() <= _PARTS[name]


def _repositories_changed(document: Mapping[str, Json], web_url: str) -> RepositoriesChanged:
    """GitHub tells neither branch nor archive of those added: they are shown at once, and listed anew."""
    added, removed = _list(document.get("repositories_added")), _list(document.get("repositories_removed"))
    present = [read_repository(each, web_url) for each in added]
    removed_ids = [_number(_object(each).get("id")) for each in removed]
    return RepositoriesChanged(
        present=tuple(each for each in present if each is not None),
        removed_ids=tuple(str(each) for each in removed_ids if each is not None),
        sync=bool(added) or None in removed_ids or not removed,
    )


def _repository_changed(action: str, document: Mapping[str, Json], web_url: str) -> RepositoriesChanged | None:
    repository = read_repository(document.get("repository"), web_url)
    if repository is None or action == "transferred":  # the installation may have lost it, or not
        return RepositoriesChanged(sync=True)
    if action == "deleted":
        return RepositoriesChanged(removed_ids=(repository.external_id,))
    return RepositoriesChanged(present=(repository,)) if action in _PRESENT else None


def _number(value: Json) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63
    return value if good and isinstance(value, int) else None


def _moment(value: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


_SUSPENDED: Final = Suspended("github_suspended", "The installation was suspended at GitHub.")
_GRANT_EFFECTS: Final[Mapping[tuple[str, str], WebhookEffect]] = {
    ("installation", "created"): ScopesChanged(),
    ("installation", "new_permissions_accepted"): ScopesChanged(),
    ("installation", "unsuspend"): Unsuspended(),
    ("installation", "deleted"): Withdrawn("github_app_uninstalled", "The app was uninstalled at GitHub."),
    ("github_app_authorization", "revoked"): Withdrawn(
        "github_authorization_revoked", "The person has withdrawn the authorization at GitHub."
    ),
}
_ANYWHERE: Final = frozenset({"enterprise", "installation", "organization", "sender"})
_PARTS: Final[Mapping[str, Set[str]]] = {
    "github_app_authorization": {"action", "sender"},
    "installation": _ANYWHERE | {"action", "repositories", "requester"},
    "installation_repositories": _ANYWHERE
    | {"action", "repositories_added", "repositories_removed", "repository_selection", "requester"},
    "public": _ANYWHERE | {"repository"},
    "repository": _ANYWHERE | {"action", "changes", "repository"},
}
"""What the bodies of events with an effect consist of. Should GitHub add a part, we look anew and don't believe it."""
_LOOK_ANEW: Final[Mapping[str, Sequence[WebhookEffect]]] = {
    "github_app_authorization": (),  # about nobody: who acted isn't whom it is about
    "installation": (ScopesChanged(),),
    **dict.fromkeys(("installation_repositories", "public", "repository"), (RepositoriesChanged(sync=True),)),
}
_PRESENT: Final = {"created", "renamed", "archived", "unarchived", "edited", "privatized", "publicized"}
