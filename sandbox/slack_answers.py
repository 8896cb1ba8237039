"""How the simulated Slack reads arguments and answers. Used by slack.py and slack_login.py."""

import secrets
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Arguments = dict[str, str]


async def arguments_of(request: Request) -> Arguments | None:
    """From the query, the form or the JSON object in the body, all as text; None where the JSON is none."""
    arguments = dict(request.query_params)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        arguments |= dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    elif content_type == "application/json":
        try:
            document = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return None
        if not isinstance(document, dict):
            return None
        arguments |= {name: _as_text(value) for name, value in document.items()}
    return arguments


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_answer(body: dict[str, object], headers: dict[str, str] | None = None, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, _common_headers() | (headers or {}), "application/json; charset=utf-8")


def server_error(status: int) -> Response:
    return PlainTextResponse("upstream connect error or disconnect/reset before headers\n", status, _common_headers())


def _common_headers() -> dict[str, str]:
    return {
        "server": "Apache",
        "cache-control": "private, no-cache, no-store, must-revalidate",
        "vary": "Accept-Encoding",
        "x-slack-req-id": secrets.token_hex(16),
        "x-slack-backend": "r",
    }
