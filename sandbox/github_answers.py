"""How the simulated GitHub answers: what each call meets at the entrance, refusals, JSON and pages. For its modules."""

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sandbox.github_headers import Headers, common_headers, link_header
from sandbox.github_objects import Json
from sandbox.state import SandboxState
from sandbox.tokens import GitHubToken, Service

DOCUMENTATION = "https://docs.github.com/rest"

Body = Json | list[Json]


def entrance(state: SandboxState, request: Request, path: str, token: GitHubToken | None) -> Response | None:
    """Count the call; the answer to one that gets no further."""
    state.record(token, Service.GITHUB, request.method, path)
    if state.is_down(Service.GITHUB):
        return server_error(503)
    if not request.headers.get("user-agent"):
        return PlainTextResponse(
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
            f"({DOCUMENTATION}/overview/resources-in-the-rest-api#user-agent-required).\n",
            403,
        )
    return None


def server_error(status: int) -> Response:
    if status == 503:
        message = (
            "No server is currently available to service your request. Sorry about that. Please try resubmitting your "
            "request and contact us if the problem persists."
        )
    else:
        message = "Server Error"
    return json_answer(status, {"message": message}, {})


def refusal(status: int, message: str, documentation: str = DOCUMENTATION, headers: Headers | None = None) -> Response:
    body: Json = {"message": message, "documentation_url": documentation, "status": str(status)}
    return json_answer(status, body, headers or {})


def json_answer(status: int, body: Body, headers: Headers) -> Response:
    return Response(orjson.dumps(body), status, common_headers() | headers, "application/json; charset=utf-8")


def positive(request: Request, name: str, default: int) -> int:
    """GitHub takes a page or size that is no positive number for the default."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0 else default


def web_url(request: Request) -> str:
    return f"{request.base_url}github"


def api_url(request: Request) -> str:
    return f"{request.base_url}github/api"


def page_of(request: Request, items: list[Json]) -> tuple[list[Json], Headers]:
    """The asked page of a list, and the links around it."""
    per_page = min(positive(request, "per_page", 30), 100)
    page = positive(request, "page", 1)
    links = link_header(request, page, max(1, -(-len(items) // per_page)))
    return items[(page - 1) * per_page : page * per_page], links
