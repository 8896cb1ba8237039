"""/metrics: what Tether measures of itself, in the form that Prometheus reads. Mounted by `gql/http/application.py`.

With TETHER_METRICS_TOKEN set, for whoever has that token; without it, for this machine alone.
"""

import hmac

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.errors import Unauthenticated
from domain.secret import Secret
from gql.bootstrap import Tether
from gql.errors import request_error
from gql.http.callers import bearer_token
from gql.http.loopback import is_loopback


def metrics_routes(tether: Tether) -> list[Route]:
    """The one route."""
    token = tether.settings.metrics_token

    async def metrics(request: Request) -> Response:
        if token is None and not is_loopback(request):
            raise HTTPException(404)
        if token is not None and not _has(request, token):
            message = "The metrics are read with the token that TETHER_METRICS_TOKEN is set to, as a bearer token."
            body = {"errors": [request_error(Unauthenticated.code, message, request.state.request_id)]}
            return JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})
        return Response(await tether.scraped_state.scrape(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return [Route("/metrics", metrics)]


def _has(request: Request, token: Secret) -> bool:
    """In constant time."""
    sent = bearer_token(request.headers.get("authorization")) or ""
    return hmac.compare_digest(sent.encode(), token.reveal().encode())
