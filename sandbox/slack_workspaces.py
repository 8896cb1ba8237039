"""The workspaces of the simulated Slack, as callers have left them. Kept in state.py, changed by slack_messages.py."""

from dataclasses import dataclass, field

Json = dict[str, object]

FIRST_MESSAGE = {"channel": "C0ACME000", "ts": "1764145000.000100", "text": "Good morning"}


@dataclass(slots=True)
class Workspace:
    """Messages and reactions in the order in which they came, and the channels that the bot has joined."""

    messages: list[Json] = field(default_factory=lambda: [dict(FIRST_MESSAGE)])
    reactions: list[Json] = field(default_factory=list)
    joined: set[str] = field(default_factory=set)

    def find(self, channel_id: str, ts: str) -> Json | None:
        return next((each for each in self.messages if (each["channel"], each["ts"]) == (channel_id, ts)), None)

    def next_ts(self, seconds: float) -> str:
        """Each message's time is its own."""
        return f"{int(seconds)}.{len(self.messages):06}"


class SlackWorkspaces:
    def __init__(self) -> None:
        self._by_team: dict[str, Workspace] = {}

    def of(self, team_id: str) -> Workspace:
        return self._by_team.setdefault(team_id, Workspace())
