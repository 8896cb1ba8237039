"""What a delivery of GitLab's says: whom it is about, what it may mean, and its standardized shape.

Called by webhooks.py, calls nobody. It takes whatever a body holds: what can't be understood is left out.

A hook belongs to a project, a group or the whole GitLab, and its delivery names the project and who acted. Neither is
a connection: who acted may be connected by another team, which must not see what goes on in this project. So only a
change of somebody's own membership or account, which system and group hooks tell of, is about a connection, and all
that comes of it is that we look anew, and not for each one: whoever sets up a hook knows its secret, so a delivery
proves nothing. For the same reason such a delivery brings no text and no address into anybody's feed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from domain.entities.health import Json
from domain.services.boundary import clean_text, clean_url
from domain.services.gitlab.answers import ID, positive_id
from domain.services.webhooks import RepositoriesChanged, ScopesChanged, WebhookEffect, WebhookMessage

TEXT_LENGTH: Final = 4_000


def account_key(account_id: str) -> str:
    """What a delivery calls the connections of an account."""
    return f"account:{account_id}"


def read_event(name: str, body: Json) -> WebhookMessage:
    """`name` is the header's, such as `Push Hook`; the body says it more exactly."""
    document = _object(body)
    said = document.get("object_kind") or document.get("event_name") or document.get("event_type")
    kind = said if isinstance(said, str) and _KIND.fullmatch(said) else name.removesuffix(" Hook").lower()
    effects = _EFFECTS.get(kind, ())
    user = positive_id(document.get("user_id")) if kind in _ABOUT_AN_ACCOUNT else None
    keys = () if user is None else (account_key(user),)
    shape = _shape(kind, document)
    if kind in _ABOUT_AN_ACCOUNT:
        shape = {part: said for part, said in shape.items() if part not in _WORDS}
    return WebhookMessage(keys, effects, {"service": ID, "type": kind, **shape})


def _shape(kind: str, document: Mapping[str, Json]) -> Mapping[str, Json]:
    attributes, project = _object(document.get("object_attributes")), _object(document.get("project"))
    author = _object(document.get("user"))
    repository = project.get("path_with_namespace") or document.get("path_with_namespace")
    shape: dict[str, Json] = {
        "action": clean_text(attributes.get("action")) or _ACTIONS.get(kind),
        "actor": clean_text(author.get("username")) or clean_text(document.get("user_username")),
        "subject": _subject(kind, document, attributes),
        "text": _text(_said(kind, document, attributes)),
        "url": clean_url(attributes.get("url")) or clean_url(project.get("web_url")),
        "repository": clean_text(repository) or clean_text(document.get("project_path_with_namespace")),
    }
    return {name: part for name, part in shape.items() if part is not None}


def _subject(kind: str, document: Mapping[str, Json], attributes: Mapping[str, Json]) -> str | None:
    """What GitLab's own pages call it: `!1` a merge request, `#1` an issue, a branch as it is."""
    if kind in {"push", "tag_push"}:
        ref = clean_text(document.get("ref")) or ""
        return ref.removeprefix("refs/heads/").removeprefix("refs/tags/") or None
    about: Mapping[str, Json] = attributes
    sign = {"merge_request": "!", "issue": "#"}.get(kind)
    if kind == "note":
        sign = "!" if "merge_request" in document else "#"
        about = _object(document.get("merge_request")) or _object(document.get("issue"))
    number = positive_id(about.get("iid"))
    return None if sign is None or number is None else f"{sign}{number}"


def _said(kind: str, document: Mapping[str, Json], attributes: Mapping[str, Json]) -> Json:
    match kind:
        case "push":
            commits = document.get("commits")
            return _object(commits[-1]).get("message") if isinstance(commits, list) and commits else None
        case "note":
            return attributes.get("note")
        case _:
            return attributes.get("title")


def _text(value: Json) -> str | None:
    """What somebody wrote, line by line."""
    if not isinstance(value, str):
        return None
    lines = (clean_text(line) or "" for line in value[:TEXT_LENGTH].splitlines())
    return "\n".join(lines).strip() or None


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


_KIND: Final = re.compile(r"[a-z_]{1,64}")
_MEMBERSHIP: Final = {
    f"user_{verb}_{what}" for verb in ("add_to", "remove_from", "update_for") for what in ("team", "group")
}
_ACCOUNT: Final = {"user_destroy", "user_rename"}
_PROJECT: Final = {f"project_{verb}" for verb in ("create", "destroy", "rename", "transfer", "update")}
_ABOUT_AN_ACCOUNT: Final = _MEMBERSHIP | _ACCOUNT
_WORDS: Final = {"subject", "text", "url"}
_EFFECTS: Final[Mapping[str, Sequence[WebhookEffect]]] = {
    **dict.fromkeys(_MEMBERSHIP | _PROJECT, (RepositoriesChanged(sync=True, unproven=True),)),
    **dict.fromkeys(_ACCOUNT, (ScopesChanged(),)),
}
_ACTIONS: Final = {
    "push": "pushed",
    "tag_push": "pushed",
    "note": "commented",
    **{kind: kind.removeprefix("project_") for kind in _PROJECT},
    **{kind: kind.removeprefix("user_") for kind in _MEMBERSHIP | _ACCOUNT},
}
