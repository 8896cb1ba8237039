"""What Slack's commands take alike: channels, messages and texts."""

import html
from typing import Final

from domain.services.commands import CommandTarget, TargetKind
from domain.services.fields import Text

LONGEST_TEXT: Final = 40_000
"""Slack cuts off what is longer."""
CHANNEL: Final = Text(
    "channel",
    "The channel's id, as slack.list_channels and events tell it.",
    example="C0ACME002",
    required=True,
    pattern=r"[A-Z0-9]{1,64}",
    form="a channel's id, which isn't its name",
)
TARGET: Final = CommandTarget(TargetKind.CHANNEL, CHANNEL.key)
TEXT: Final = Text(
    "text",
    "What to say, in Slack's own markup, in which &amp; &lt; and &gt; stand for & < and >.",
    example="Deployed to production.",
    required=True,
    max_length=LONGEST_TEXT,
    lines=True,
)


def moment(key: str, description: str) -> Text:
    """An argument or a result that names a message of a channel, by the time at which Slack has taken it."""
    form = "a message's time as Slack names it, with a point in it"
    pattern = r"[0-9]{1,12}\.[0-9]{1,9}"
    return Text(key, description, example="1764145000.000200", required=True, pattern=pattern, form=form)


def escaped(text: str) -> str:
    """Text that stays itself in Slack's markup: it mentions nobody and links nowhere else."""
    return html.escape(text, quote=False)
