"""The control API under /_sandbox, with which a developer or a test makes tokens, takes services down and counts calls.

It asks for no credentials: the sandbox is a development tool on loopback.
"""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.json_reader import JsonReader, Problem
from sandbox.state import Call, SandboxState
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
            Route("/_sandbox/calls", self.get_calls, methods=["GET"]),
        ]

    async def put_token(self, request: Request) -> Response:
        """Create (201) or replace (200) a token; 422 with every mistake."""
        document = await _document(request)
        if isinstance(document, Problem):
            return _unprocessable([document])
        now = self._state.now()
        token = read_token(request.path_params["token"], document, now)
        if isinstance(token, list):
            return _unprocessable(token)
        created = self._state.put(token)
        return _json(show_token(token, now), 201 if created else 200)

    async def get_token(self, request: Request) -> Response:
        token = self._state.find(request.path_params["token"], Token)
        return _not_found("token") if token is None else _json(show_token(token, self._state.now()))

    async def delete_token(self, request: Request) -> Response:
        forgotten = self._state.forget(request.path_params["token"])
        return Response(status_code=204) if forgotten else _not_found("token")

    async def put_service(self, request: Request) -> Response:
        service = _service(request)
        if service is None:
            return _not_found("service")
        document = await _document(request)
        if isinstance(document, Problem):
            return _unprocessable([document])
        settings = JsonReader(document)
        down = settings.flag("down", False)
        problems = settings.problems()
        if problems:
            return _unprocessable(problems)
        self._state.set_down(service, down)
        return _json({"service": service, "down": down})

    async def get_service(self, request: Request) -> Response:
        service = _service(request)
        if service is None:
            return _not_found("service")
        return _json({"service": service, "down": self._state.is_down(service)})

    async def get_calls(self, request: Request) -> Response:
        """The last calls of one token (`?token=`), or of all, oldest first."""
        calls = self._state.calls(request.query_params.get("token"))
        return _json({"count": len(calls), "calls": [_call_json(call) for call in calls]})


async def _document(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return Problem("", "must be JSON")


def _service(request: Request) -> Service | None:
    name = request.path_params["service"]
    return Service(name) if name in set(Service) else None


def _call_json(call: Call) -> dict[str, object]:
    return {"token": call.token, "service": call.service, "method": call.method, "path": call.path, "at": call.at}


def _unprocessable(problems: list[Problem]) -> Response:
    return _json({"message": "Nothing was changed.", "problems": problems}, 422)


def _not_found(what: str) -> Response:
    return _json({"message": f"No {what} of this name."}, 404)


def _json(body: dict[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
