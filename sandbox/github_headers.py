"""The headers of GitHub's answers, for github.py."""

import secrets
from urllib.parse import urlencode

from starlette.requests import Request

from sandbox.tokens import GitHubToken, Quota

Headers = dict[str, str]


def common_headers() -> Headers:
    return {
        "server": "github.com",
        "vary": "Accept, Authorization, Cookie, Accept-Encoding, Accept, X-Requested-With",
        "x-github-api-version-selected": "2022-11-28",
        "x-github-media-type": "github.v3; format=json",
        "x-github-request-id": ":".join(secrets.token_hex(length).upper() for length in (2, 3, 4, 4, 4)),
    }


def token_headers(token: GitHubToken | None, accepted_scopes: str = "") -> Headers:
    headers: Headers = {}
    if token is not None and token.scopes is not None:
        headers |= {"x-oauth-scopes": ", ".join(token.scopes), "x-accepted-oauth-scopes": accepted_scopes}
    if token is not None and token.expires_at is not None:
        headers["github-authentication-token-expiration"] = f"{token.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return headers


def rate_limit_headers(quota: Quota) -> Headers:
    return {
        "x-ratelimit-limit": str(quota.limit),
        "x-ratelimit-remaining": str(quota.remaining),
        "x-ratelimit-used": str(quota.used),
        "x-ratelimit-reset": str(int(quota.resets_at.timestamp())),
        "x-ratelimit-resource": "core",
    }


def link_header(request: Request, page: int, last: int) -> Headers:
    """Addresses of the pages around this one, with the rest of the query kept; nothing where there is one page."""
    pages: dict[str, int] = {}
    if page > 1:
        pages |= {"prev": min(page - 1, last)}
    if page < last:
        pages |= {"next": page + 1, "last": last}
    if page > 1:
        pages |= {"first": 1}
    query = dict(request.query_params)
    links = [f'<{request.url.replace(query=urlencode(query | {"page": n}))}>; rel="{rel}"' for rel, n in pages.items()]
    return {"link": ", ".join(links)} if links else {}
