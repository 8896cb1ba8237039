"""An issuer over real HTTP in the test's own event loop, which does what no honest one does: it signs whatever it is
told to, publishes whatever it is told to, and counts how often it was asked.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs

from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.serving import serving
from tests.domain.world import Clock

AUDIENCE: Final = "https://tether.example.com"
DISCOVERY: Final = "/.well-known/openid-configuration"
JWKS: Final = "/keys"
CLIENT_ID: Final = "tether"
NONCE: Final = "nonce-of-this-flow"
ACCESS_TOKEN: Final = "an-access-token"

AnyKey = RSAKey | ECKey | OKPKey | OctKey

_RSA: Final = RSAKey.generate_key(2048)
_OTHER_RSA: Final = RSAKey.generate_key(2048)


class LocalIssuer:
    """`documents` is what it publishes, by path; `headers` come along; while `open` isn't set, answers wait."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, AnyKey] = {
            "rsa": _RSA,
            "p256": ECKey.generate_key("P-256"),
            "p384": ECKey.generate_key("P-384"),
            "p521": ECKey.generate_key("P-521"),
            "ed25519": OKPKey.generate_key("Ed25519"),
        }
        self.stranger: RSAKey = _OTHER_RSA
        self.documents: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.down = False
        self.open = asyncio.Event()
        self.open.set()
        self.asked: Counter[str] = Counter()

    def publish(self, *kids: str, **jwk: Any) -> None:
        """Publish the public parts of these keys, all of them where none is named, with further members."""
        chosen = kids or tuple(self.keys)
        keys = [{**self.keys[kid].as_dict(private=False), "kid": kid, **jwk} for kid in chosen]
        self.documents[JWKS] = {"keys": keys}

    def rotate(self, kid: str, *, retired: tuple[str, ...] = ()) -> None:
        """Publish a new RSA key by that name, beside the others."""
        self.keys[kid] = RSAKey.generate_key(2048)
        self.publish(*(each for each in self.keys if each not in retired))

    def claims(self, now: float, **changes: Any) -> dict[str, Any]:
        """Those of a good token; None takes one away."""
        claims = {
            "iss": self.url,
            "sub": "ada-1",
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": int(now) + 600,
            "name": "Ada Lovelace",
            "email": "ada@acme.example",
            "email_verified": True,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(
        self,
        claims: Mapping[str, Any] | bytes,
        *,
        kid: str | None = "rsa",
        algorithm: str = "RS256",
        key: AnyKey | None = None,
        header: Mapping[str, Any] | bytes | None = None,
    ) -> str:
        """A JWT: with the key of that name, or with another one that claims to be it."""
        whole = {"alg": algorithm, "typ": "at+jwt", "kid": kid, **(header if isinstance(header, Mapping) else {})}
        shown = header if isinstance(header, bytes) else _json({k: v for k, v in whole.items() if v is not None})
        signing_input = f"{_base64(shown)}.{_base64(claims if isinstance(claims, bytes) else _json(claims))}"
        signing_key = key or self.keys[kid or "rsa"]
        signature = JWSRegistry.algorithms[algorithm].sign(signing_input.encode(), signing_key)
        return f"{signing_input}.{_base64(signature)}"

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked[path] += 1
        await self.open.wait()
        if self.down or path not in self.documents:
            return Response(status_code=503 if self.down else 404)
        document = self.documents[path]
        if isinstance(document, bytes):
            return Response(document, headers=self.headers)
        return JSONResponse(document, headers=self.headers)


@asynccontextmanager
async def running_local_issuer() -> AsyncIterator[LocalIssuer]:
    """An issuer that is honest so far."""
    issuer = LocalIssuer()
    async with serving(Starlette(routes=[Route("/{path:path}", issuer.answer)])) as url:
        issuer.url = url
        issuer.documents[DISCOVERY] = {"issuer": url, "jwks_uri": url + JWKS}
        issuer.publish()
        yield issuer
        issuer.open.set()


class TokenIssuer(LocalIssuer):
    """With a token endpoint, which notes what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.sent: list[tuple[dict[str, str], dict[str, list[str]]]] = []

    async def answer(self, request: Request) -> Response:
        if request.url.path == "/token":
            self.sent.append((dict(request.headers), parse_qs((await request.body()).decode())))
        return await super().answer(request)

    def id_claims(self, **changes: Any) -> dict[str, Any]:
        return self.claims(self.clock().timestamp(), **{"aud": CLIENT_ID, "nonce": NONCE, **changes})

    def will_give(self, id_token: Any, **changes: Any) -> None:
        """What the token endpoint answers."""
        answer = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token, **changes}
        self.documents["/token"] = {name: value for name, value in answer.items() if value is not None}

    def metadata(self, **changes: Any) -> None:
        document = {**self.documents[DISCOVERY], **changes}
        self.documents[DISCOVERY] = {name: value for name, value in document.items() if value is not None}


@asynccontextmanager
async def running_token_issuer() -> AsyncIterator[TokenIssuer]:
    """One at which Tether is a client, and which is honest so far."""
    issuer = TokenIssuer()
    async with serving(Starlette(routes=[Route("/{path:path}", issuer.answer, methods=["GET", "POST"])])) as url:
        issuer.url = url
        issuer.documents[DISCOVERY] = {
            "issuer": url,
            "jwks_uri": url + JWKS,
            "authorization_endpoint": f"{url}/authorize?tenant=1",
            "token_endpoint": f"{url}/token",
        }
        issuer.publish()
        yield issuer


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """A JWT with any signature, or with none."""
    return f"{_base64(_json(header))}.{_base64(_json(claims))}.{_base64(signature)}"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _base64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
