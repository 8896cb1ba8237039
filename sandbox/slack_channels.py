"""Slack's channels as JSON, and the cursors of their pages, for slack.py."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Collection

from sandbox.tokens import SlackChannel, SlackToken

Json = dict[str, object]


def is_wanted(channel: SlackChannel, types: list[str], exclude_archived: str) -> bool:
    if channel.is_archived and exclude_archived.lower() in {"true", "1"}:
        return False
    return ("private_channel" if channel.is_private else "public_channel") in types


def cursor_of(channel: SlackChannel) -> str:
    return b64encode(f"team:{channel.id}".encode()).decode()


def position_of(channels: list[SlackChannel], cursor: str) -> int | None:
    """Where the page of that cursor begins; None for a cursor that was never given."""
    if not cursor:
        return 0
    try:
        name = b64decode(cursor, validate=True).decode()
    except (Base64Error, UnicodeDecodeError):
        return None
    return next((index for index, channel in enumerate(channels) if name == f"team:{channel.id}"), None)


def is_member(channel: SlackChannel, joined: Collection[str]) -> bool:
    """Whether the bot is in it, as in #general it always is."""
    return channel.name == "general" or channel.id in joined


def channel_json(channel: SlackChannel, token: SlackToken, joined: Collection[str]) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_general": channel.name == "general",
        "is_member": is_member(channel, joined),
        "is_shared": False,
        "created": 1762500000,
        "creator": token.bot.user_id,
        "context_team_id": token.account.id,
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": f"All about {channel.name}", "creator": "", "last_set": 0},
        "num_members": 4,
    }
