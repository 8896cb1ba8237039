"""What browsers are told with every answer, whatever it is."""

import pytest

from domain.key_ring import generate_key
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ANSWERS = [
    ("POST", "/graphql", 200),
    ("PUT", "/graphql", 405),
    ("GET", "/graphql", 200),
    ("GET", "/", 200),
    ("GET", "/graphiql/nope", 404),
    ("GET", "/nope", 404),
    ("GET", "/livez", 200),
    ("POST", "/webhooks/nope", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_they_are_on_every_answer(shared_server: TetherServer, method: str, path: str, status: int) -> None:
    content = b'{"query": "{ __typename }"}' if method == "POST" else None
    headers = {"Accept": "text/html, application/json", "Content-Type": "application/json"}
    answer = await shared_server.http.request(method, path, content=content, headers=headers)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
    else:
        assert policy in {"default-src 'none'; frame-ancestors 'none'", "default-src 'none'"}
    if not path.startswith("/graphiql/"):
        assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("public_url", "strict"), [("https://tether.example", "max-age=31536000"), ("http://127.0.0.1:8000", None)]
)
async def test_in_production_by_https_browsers_stay_with_https(
    sqlite_url: str, sandbox: SandboxServer, public_url: str, strict: str | None
) -> None:
    production = {"TETHER_ENVIRONMENT": "production", "TETHER_PUBLIC_URL": public_url}
    async with running_tether(sqlite_url, sandbox, generate_key(), **production) as server:
        assert (await server.http.get("/livez")).headers.get("strict-transport-security") == strict
