"""What an event of Slack's says: whom it is about, what it may mean for connections, and its standardized shape.

Called by webhooks.py. It takes whatever a body holds: what can't be understood is left out.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from domain.entities.health import Json
from domain.services.boundary import clean_text
from domain.services.slack.answers import webhook_key
from domain.services.webhooks import ScopesChanged, WebhookEffect, WebhookMessage, Withdrawn

TEXT_LENGTH: Final = 4_000
"""How much of a message the feed carries; Slack asks that none be longer."""
LATEST: Final = 32_503_680_000  # the year 3000


def read_event(name: str, envelope: Json, web_url: str) -> WebhookMessage:
    """`name` is the event's type, `envelope` the delivered JSON."""
    outer = _object(envelope)
    event = _object(outer.get("event"))
    shape = {"service": "slack", "type": name, **_shape(name, event, web_url)}
    return WebhookMessage(_keys(outer), _effects(name, event), shape, _moment(outer.get("event_time")))


def _moment(seconds: Json) -> datetime | None:
    """The end of the second that Slack names: what else is known of that second was known before."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds < LATEST:
        return None
    return datetime.fromtimestamp(seconds + 1, UTC)


def _keys(outer: Mapping[str, Json]) -> Sequence[str]:
    """The installations that see the event: those that Slack names, else the workspace that it comes from."""
    named = outer.get("authorizations")
    installations = [_object(each) for each in named] if isinstance(named, list) else []
    keys = [_key(each) for each in installations if each] or [_key(outer)]
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _key(installation: Mapping[str, Json]) -> str | None:
    """A workspace may say its organization's id without being installed for all of it."""
    team = clean_text(installation.get("team_id"))
    if team is not None and installation.get("is_enterprise_install") is not True:
        return webhook_key(team, whole_organization=False)
    enterprise = clean_text(installation.get("enterprise_id"))
    return None if enterprise is None else webhook_key(enterprise, whole_organization=True)


def _effects(name: str, event: Mapping[str, Json]) -> Sequence[WebhookEffect]:
    match name:
        case "app_uninstalled":
            return (Withdrawn("slack_app_uninstalled", "The app was removed from the workspace at Slack."),)
        case "tokens_revoked" if _object(event.get("tokens")).get("bot"):
            return (Withdrawn("slack_token_revoked", "The bot's token was revoked at Slack."),)
        case _ if name in _WORTH_A_CHECK:
            return (ScopesChanged(),)
        case _:
            return ()


def _shape(name: str, event: Mapping[str, Json], web_url: str) -> Mapping[str, Json]:
    match name:
        case "message":
            return _message(event, web_url)
        case "app_mention":
            return _posted("created", event, event, web_url)
        case "reaction_added":
            item = {**_object(event.get("item")), "user": event.get("user"), "text": event.get("reaction")}
            return _posted("added", item, item, web_url)
        case _:
            return _present(actor=_identifier(event.get("user")), channel=_identifier(event.get("channel")))


def _message(event: Mapping[str, Json], web_url: str) -> Mapping[str, Json]:
    """A new message, or with a subtype what became of one (`message_changed`) or posted it (`bot_message`)."""
    match event.get("subtype"):
        case "message_changed":
            return _posted("changed", event, _object(event.get("message")), web_url)
        case "message_deleted":  # what it said is not for us to keep
            return _posted("deleted", event, {**_object(event.get("previous_message")), "text": None}, web_url)
        case subtype:
            return _posted(clean_text(subtype) or "created", event, event, web_url)


def _posted(action: str, event: Mapping[str, Json], message: Mapping[str, Json], web_url: str) -> Mapping[str, Json]:
    """`subject` is the message's time, which is its name in its channel; `thread` that of the one it replies to."""
    channel, at = _identifier(event.get("channel")), _time(message.get("ts"))
    return _present(
        action=action,
        actor=_identifier(message.get("user")) or _identifier(message.get("bot_id")),
        subject=at,
        thread=_time(message.get("thread_ts")),
        text=_text(message.get("text")),
        channel=channel,
        url=f"{web_url}/archives/{channel}/p{at.replace('.', '')}" if channel is not None and at is not None else None,
    )


def _present(**parts: str | None) -> Mapping[str, Json]:
    return {name: part for name, part in parts.items() if part is not None}


def _identifier(value: Json) -> str | None:
    """An id of a person, a bot or a channel; Slack puts some in an object that tells more."""
    named = value.get("id") if isinstance(value, dict) else value
    return named if isinstance(named, str) and _ID.fullmatch(named) else None


def _time(value: Json) -> str | None:
    return value if isinstance(value, str) and _TIME.fullmatch(value) else None


def _text(value: Json) -> str | None:
    """What somebody wrote, with its lines, without other control characters and lone surrogates."""
    if not isinstance(value, str):
        return None
    kept = "".join(each for each in value if each == "\n" or unicodedata.category(each) not in {"Cc", "Cs"})
    return kept[:TEXT_LENGTH] or None


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_TIME: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
_WORTH_A_CHECK: Final = {
    "tokens_revoked",  # of people: it names no token, so nobody can tell whether ours was among them
    "team_access_granted",
    "team_access_revoked",
    "team_domain_change",
    "team_rename",
}
