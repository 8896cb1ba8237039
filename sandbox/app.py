"""The sandbox's ASGI application: both services, the control API and the list of ready-made tokens over one state."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control import Control
from sandbox.github import GitHub
from sandbox.ready_made import ready_made_tokens
from sandbox.slack import Slack
from sandbox.state import Clock, SandboxState, utc_now
from sandbox.web_pages import front_page

MAX_BODY_BYTES = 8 * 1024 * 1024


def create_app(clock: Clock = utc_now) -> Starlette:
    """A fresh sandbox that knows the ready-made tokens; `clock` says the present moment, in UTC."""
    state = SandboxState(clock)
    ready_made = ready_made_tokens(clock())
    for each in ready_made:
        state.put(each.token)

    async def front(_: Request) -> Response:
        return front_page(ready_made)

    routes = [
        Route("/", front),
        *Control(state).routes(),
        *GitHub(state).routes(),
        *Slack(state).routes(),
    ]
    app = Starlette(routes=routes, max_body_size=MAX_BODY_BYTES)
    app.router.redirect_slashes = False
    return app
