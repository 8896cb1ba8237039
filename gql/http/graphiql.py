"""GraphiQL's page, in the form that Strawberry ships, under a policy that lets it load just what it names.

Served by the GraphQL view to browsers. Its scripts come from unpkg.com, each with an integrity hash.
"""

from typing import Final

from starlette.responses import HTMLResponse
from strawberry.http.ides import get_graphql_ide_html

_CDN: Final = "https://unpkg.com"
_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        f"script-src {_CDN} 'unsafe-inline' 'unsafe-eval'",
        f"style-src {_CDN} 'unsafe-inline'",
        f"font-src {_CDN} data:",
        "img-src 'self' data: https:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


def graphiql_page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_HTML, headers={"Content-Security-Policy": _POLICY})


_HTML: Final = get_graphql_ide_html("graphiql").replace("Strawberry GraphiQL", "Tether GraphiQL")
