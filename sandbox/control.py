"""The control API under /_sandbox, with which a developer or a test makes tokens, takes services down and counts calls.

It asks for no credentials: the sandbox is a development tool on loopback.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.control_answers import document_of, json_answer, not_found, unprocessable
from sandbox.json_reader import JsonReader, Problem
from sandbox.oauth import ACCESS_LIFETIME_SECONDS, REFRESH_LIFETIME_SECONDS, Client
from sandbox.state import Call, SandboxState, WebhookTarget
from sandbox.token_settings import read_token, show_token
from sandbox.tokens import Service, Token


class Control:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/_sandbox/tokens/{token:path}", self.put_token, methods=["PUT"]),
            Route("/_sandbox/tokens/{token:path}", self.get_token, methods=["GET"]),
            Route("/_sandbox/tokens/{token:path}", self.delete_token, methods=["DELETE"]),
            Route("/_sandbox/services/{service}", self.put_service, methods=["PUT"]),
            Route("/_sandbox/services/{service}", self.get_service, methods=["GET"]),
            Route("/_sandbox/clients/{service}/{client_id}", self.put_client, methods=["PUT"]),
            Route("/_sandbox/clients/{service}/{client_id}", self.get_client, methods=["GET"]),
            Route("/_sandbox/webhooks/{service}", self.put_webhooks, methods=["PUT"]),
            Route("/_sandbox/webhooks/{service}", self.delete_webhooks, methods=["DELETE"]),
            Route("/_sandbox/calls", self.get_calls, methods=["GET"]),
        ]

    async def put_token(self, request: Request) -> Response:
        """Create (201) or replace (200) a token; 422 with every mistake."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        now = self._state.now()
        token = read_token(request.path_params["token"], document, now)
        if isinstance(token, list):
            return unprocessable(token)
        created = self._state.put(token)
        return json_answer(show_token(token, now), 201 if created else 200)

    async def get_token(self, request: Request) -> Response:
        token = self._state.find(request.path_params["token"], Token)
        return not_found("token") if token is None else json_answer(show_token(token, self._state.now()))

    async def delete_token(self, request: Request) -> Response:
        forgotten = self._state.forget(request.path_params["token"])
        return Response(status_code=204) if forgotten else not_found("token")

    async def put_service(self, request: Request) -> Response:
        service = _service(request)
        if service is None:
            return not_found("service")
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        settings = JsonReader(document)
        down = settings.flag("down", False)
        problems = settings.problems()
        if problems:
            return unprocessable(problems)
        self._state.set_down(service, down)
        return json_answer({"service": service, "down": down})

    async def get_service(self, request: Request) -> Response:
        service = _service(request)
        if service is None:
            return not_found("service")
        return json_answer({"service": service, "down": self._state.is_down(service)})

    async def put_client(self, request: Request) -> Response:
        """Register (201) or replace (200) an OAuth client. Lifetimes: null for tokens that don't end."""
        service = _service(request)
        if service is None:
            return not_found("service")
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        settings = JsonReader(document)
        client = Client(
            service=service,
            id=request.path_params["client_id"],
            secret=settings.text("secret", ""),
            redirect_uris=settings.texts("redirect_uris", ()),
            access_lifetime_seconds=settings.integer_or("access_lifetime_seconds", ACCESS_LIFETIME_SECONDS),
            refresh_lifetime_seconds=settings.integer_or("refresh_lifetime_seconds", REFRESH_LIFETIME_SECONDS),
            refresh_ends_access=settings.flag("refresh_ends_access", True),
        )
        if not client.redirect_uris:
            settings.complain("redirect_uris", "must have an address")
        if problems := settings.problems():
            return unprocessable(problems)
        created = self._state.put_client(client)
        return json_answer(_client_json(client), 201 if created else 200)

    async def get_client(self, request: Request) -> Response:
        """How often its refresh tokens were taken, and how often a used one was shown again."""
        service = _service(request)
        client = None if service is None else self._state.find_client(service, request.path_params["client_id"])
        return not_found("client") if client is None else json_answer(_client_json(client))

    async def put_webhooks(self, request: Request) -> Response:
        """Where the service sends its webhooks from now on, and the secret that signs them."""
        service = _service(request)
        if service is None:
            return not_found("service")
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        settings = JsonReader(document)
        target = WebhookTarget(settings.text("url", ""), settings.text("secret", ""))
        if problems := settings.problems():
            return unprocessable(problems)
        self._state.webhook_targets[service] = target
        return json_answer({"service": service, "url": target.url})

    async def delete_webhooks(self, request: Request) -> Response:
        service = _service(request)
        if service is None or self._state.webhook_targets.pop(service, None) is None:
            return not_found("address")
        return Response(status_code=204)

    async def get_calls(self, request: Request) -> Response:
        """The last calls of one token (`?token=`), or of all, oldest first."""
        calls = self._state.calls(request.query_params.get("token"))
        return json_answer({"count": len(calls), "calls": [_call_json(call) for call in calls]})


def _service(request: Request) -> Service | None:
    name = request.path_params["service"]
    return Service(name) if name in set(Service) else None


def _call_json(call: Call) -> dict[str, object]:
    return {"token": call.token, "service": call.service, "method": call.method, "path": call.path, "at": call.at}


def _client_json(client: Client) -> dict[str, object]:
    return {
        "service": client.service,
        "id": client.id,
        "redirect_uris": client.redirect_uris,
        "refreshes": client.refreshes,
        "reuses": client.reuses,
    }
