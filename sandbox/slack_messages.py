"""The simulated Slack's methods for acting in channels: say something, react, join. Asked by slack.py.

What they do is kept in slack_workspaces.py.
"""

from collections.abc import Callable

from sandbox.slack_answers import Arguments
from sandbox.slack_channels import Json, channel_json, is_member
from sandbox.state import SandboxState
from sandbox.tokens import SlackChannel, SlackToken

LONGEST_TEXT = 40_000
EMOJI = {"+1", "eyes", "rocket", "tada", "thumbsup", "white_check_mark", "x"}


class SlackMessages:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def methods(self) -> dict[str, tuple[str, Callable[[SlackToken, Arguments], Json]]]:
        """Each with the scope that it needs."""
        return {
            "chat.postMessage": ("chat:write", self._post),
            "conversations.join": ("channels:join", self._join),
            "reactions.add": ("reactions:write", self._react),
        }

    def _post(self, token: SlackToken, arguments: Arguments) -> Json:
        channel = _channel(token, arguments)
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        text, thread = arguments.get("text", ""), arguments.get("thread_ts")
        may_from_outside = "chat:write.public" in (token.scopes or ()) and not channel.is_private
        workspace = self._state.slack_workspaces.of(token.account.id)
        if channel.is_archived:
            return {"ok": False, "error": "is_archived"}
        if not (is_member(channel, workspace.joined) or may_from_outside):
            return {"ok": False, "error": "not_in_channel"}
        if not text.strip():
            return {"ok": False, "error": "no_text"}
        if len(text) > LONGEST_TEXT:
            return {"ok": False, "error": "msg_too_long"}
        if thread is not None and workspace.find(channel.id, thread) is None:
            return {"ok": False, "error": "thread_not_found"}
        message: Json = {"channel": channel.id, "ts": workspace.next_ts(self._state.now().timestamp()), "text": text}
        if thread is not None:
            message |= {"thread_ts": thread, "broadcast": arguments.get("reply_broadcast") == "true"}
        workspace.messages.append(message)
        said = {"type": "message", "user": token.bot.user_id, "bot_id": token.bot.bot_id, **message}
        return {"ok": True, "channel": channel.id, "ts": message["ts"], "message": said}

    def _react(self, token: SlackToken, arguments: Arguments) -> Json:
        channel = _channel(token, arguments)
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        workspace = self._state.slack_workspaces.of(token.account.id)
        ts, name = arguments.get("timestamp", ""), arguments.get("name", "")
        if channel.is_archived:
            return {"ok": False, "error": "is_archived"}
        if workspace.find(channel.id, ts) is None:
            return {"ok": False, "error": "message_not_found"}
        if name.partition("::")[0] not in EMOJI:
            return {"ok": False, "error": "invalid_name"}
        reaction: Json = {"channel": channel.id, "ts": ts, "name": name}
        if reaction in workspace.reactions:
            return {"ok": False, "error": "already_reacted"}
        workspace.reactions.append(reaction)
        return {"ok": True}

    def _join(self, token: SlackToken, arguments: Arguments) -> Json:
        channel = _channel(token, arguments)
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        if channel.is_private:
            return {"ok": False, "error": "method_not_supported_for_channel_type"}
        if channel.is_archived:
            return {"ok": False, "error": "is_archived"}
        workspace = self._state.slack_workspaces.of(token.account.id)
        was_in_it = is_member(channel, workspace.joined)
        workspace.joined.add(channel.id)
        answer: Json = {"ok": True, "channel": channel_json(channel, token, workspace.joined)}
        if was_in_it:
            answer |= {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
        return answer


def _channel(token: SlackToken, arguments: Arguments) -> SlackChannel | None:
    return next((each for each in token.channels if each.id == arguments.get("channel")), None)
