"""Slack's OAuth scopes for bot tokens."""

from collections.abc import Sequence
from typing import Final

from domain.services.base import ServiceScope

SCOPES: Final[Sequence[ServiceScope]] = (
    ServiceScope("chat:write", "Send messages in channels that the bot is in.", required=True),
    ServiceScope("channels:read", "See public channels and who is in them.", required=True),
    ServiceScope("chat:write.public", "Send messages in public channels that the bot isn't in."),
    ServiceScope("chat:write.customize", "Send messages under another name and picture."),
    ServiceScope("channels:join", "Join public channels."),
    ServiceScope("channels:history", "Read messages in public channels that the bot is in."),
    ServiceScope("channels:manage", "Create, rename and archive public channels."),
    ServiceScope("groups:read", "See private channels that the bot is in."),
    ServiceScope("groups:history", "Read messages in private channels that the bot is in."),
    ServiceScope("groups:write", "Manage private channels that the bot is in."),
    ServiceScope("im:read", "See direct messages that the bot is part of."),
    ServiceScope("im:history", "Read direct messages to the bot."),
    ServiceScope("im:write", "Begin direct messages."),
    ServiceScope("mpim:read", "See group messages that the bot is part of."),
    ServiceScope("mpim:history", "Read group messages that the bot is part of."),
    ServiceScope("mpim:write", "Begin group messages."),
    ServiceScope("app_mentions:read", "Read messages that mention the bot."),
    ServiceScope("commands", "Offer slash commands and shortcuts."),
    ServiceScope("files:read", "Read files where the bot is."),
    ServiceScope("files:write", "Upload, change and delete files."),
    ServiceScope("links:read", "Read links to chosen domains in messages."),
    ServiceScope("links:write", "Show previews of links."),
    ServiceScope("pins:read", "See what is pinned."),
    ServiceScope("pins:write", "Pin and unpin."),
    ServiceScope("reactions:read", "See reactions."),
    ServiceScope("reactions:write", "React to messages."),
    ServiceScope("team:read", "See the workspace's name, domain and icon."),
    ServiceScope("usergroups:read", "See user groups."),
    ServiceScope("users:read", "See the people of the workspace."),
    ServiceScope("users:read.email", "See the e-mail addresses of the people of the workspace."),
)
