"""The part of the control API that is Slack's alone: events to send, the check of the address, and what was said.

Made in app.py.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.control_answers import document_of, json_answer, not_found, unprocessable
from sandbox.json_reader import JsonReader, Problem
from sandbox.slack_events import SlackEvents
from sandbox.state import SandboxState


class SlackControl:
    def __init__(self, state: SandboxState, events: SlackEvents) -> None:
        self._state = state
        self._events = events

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/_sandbox/slack/events", self.create_event, methods=["POST"]),
            Route("/_sandbox/slack/url_verification", self.create_verification, methods=["POST"]),
            Route("/_sandbox/slack/workspaces/{team_id}", self.get_workspace, methods=["GET"]),
        ]

    async def create_event(self, request: Request) -> Response:
        """Send `event` once, signed, to the address that is set, and say what came back.

        `envelope` replaces keys of what is wrapped around it (`event_id`, for one). A `retry_num` from 1 is a repeat,
        `age_seconds` makes it a stale one, and another `secret` a forged one.
        """
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        settings = JsonReader(document)
        event, envelope = settings.document("event"), settings.document("envelope")
        team_id, secret = settings.text("team_id", "T0ACME123"), settings.text_or_null("secret")
        age_seconds, retry_num = settings.integer("age_seconds", 0), settings.integer("retry_num", 0)
        if not isinstance(event.get("type"), str):
            settings.complain("event", "must have a type, as message")
        if problems := settings.problems():
            return unprocessable(problems)
        sent = await self._events.send(
            self._events.envelope(event, team_id, **envelope),
            age_seconds=age_seconds,
            retry_num=retry_num,
            secret=secret,
        )
        return not_found("address") if sent is None else json_answer(sent)

    async def get_workspace(self, request: Request) -> Response:
        """What callers have said and done there."""
        workspace = self._state.slack_workspaces.of(request.path_params["team_id"])
        made = {"messages": workspace.messages, "reactions": workspace.reactions}
        return json_answer({**made, "joined": sorted(workspace.joined)})

    async def create_verification(self, request: Request) -> Response:
        """Ask the address that is set to answer with a challenge, as Slack does before it takes an address."""
        sent = await self._events.verify_address()
        return not_found("address") if sent is None else json_answer(sent)
