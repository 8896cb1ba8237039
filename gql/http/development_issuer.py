"""The built-in identity provider of development: a small OpenID provider whose people are whoever a developer says.

Mounted by `gql/http/application.py` where the settings have it, which production refuses; so that `make serve` needs no
account anywhere. It asks for no password, and is there for this machine alone: to everybody else these addresses are
nothing. Sign-in treats it like any other provider, by discovery, keys, PKCE and ID tokens.
"""

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from domain.entities.user import Role
from domain.sign_in import callback_path
from gql.bootstrap import Tether
from gql.development import CLIENT_ID, ISSUER_ID, ISSUER_PATH
from gql.http.browser_access import BrowserAccess
from gql.http.loopback import is_loopback
from gql.http.own_pages import OwnPages
from gql.http.request_body import read_body
from gql.http.visits import page, visited
from gql.sample import COLLEAGUE, COLLEAGUE_NAME, FOUNDER, FOUNDER_NAME, SLUG


def development_issuer_routes(tether: Tether, access: BrowserAccess) -> list[BaseRoute]:
    """Discovery, keys, the page on which a developer says who they are, and the token endpoint; none in production."""
    if not tether.settings.development_issuer:
        return []
    issuer = DevelopmentIssuer(tether.settings.public_url, access.own_pages)
    return [
        Route(f"{ISSUER_PATH}/.well-known/openid-configuration", _here_only(issuer.discovery)),
        Route(f"{ISSUER_PATH}/keys", _here_only(issuer.keys)),
        Route(f"{ISSUER_PATH}/authorize", _here_only(visited(issuer.ask, {}))),
        Route(f"{ISSUER_PATH}/authorize", _here_only(issuer.answer), methods=["POST"]),
        Route(f"{ISSUER_PATH}/token", _here_only(issuer.token), methods=["POST"]),
    ]


def _here_only(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """For this machine, called by one of its own names. Who listens on other addresses as well opens nothing by it."""

    async def answer(request: Request) -> Response:
        if not is_loopback(request):
            raise HTTPException(404)
        return await endpoint(request)

    return answer


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a code stands for, until `until` on the monotonic clock."""

    email: str
    name: str
    role: str | None
    nonce: str | None
    challenge: str
    until: float


class DevelopmentIssuer:
    """One process's: its key and its codes end with it."""

    def __init__(self, public_url: str, own_pages: OwnPages) -> None:
        self._own_pages = own_pages
        self._issuer = f"{public_url}{ISSUER_PATH}"
        self._redirect_uri = f"{public_url}{callback_path(ISSUER_ID)}"
        self._key = ECKey.generate_key("P-256", parameters={"kid": secrets.token_hex(8), "use": "sig", "alg": _ALG})
        self._codes: dict[str, _Grant] = {}
        self._people = {FOUNDER: FOUNDER_NAME, COLLEAGUE: COLLEAGUE_NAME}

    async def discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self._issuer,
                "authorization_endpoint": f"{self._issuer}/authorize",
                "token_endpoint": f"{self._issuer}/token",
                "jwks_uri": f"{self._issuer}/keys",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "email", "profile"],
                "claims_supported": ["sub", "email", "email_verified", "name", "organization", "role"],
                "id_token_signing_alg_values_supported": [_ALG],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def ask(self, request: Request) -> Response:
        """The page on which a developer chooses a person, or makes one up."""
        query = dict(request.query_params)
        return self._refused(query) or page("Who are you today?", self._choices(query), form_action="'self'")

    async def answer(self, request: Request) -> Response:
        """Send the browser back with a code for whom the developer has chosen: on our page, on no other site's."""
        if not self._own_pages.may_ask(request):
            return page("That didn’t work", "<p>Another site’s page has answered for you.</p>", 403)
        form = await _form(request)
        refused = self._refused(form)
        if refused is not None:
            return refused
        if "cancel" in form:
            return self._back(form, {"error": "access_denied"})
        email = form.get("person") or form.get("email", "").strip().lower()
        if not _EMAIL.fullmatch(email):
            problem = '<p role="alert">An e-mail address looks like ada@example.com.</p>\n'
            return page("Who are you today?", problem + self._choices(form), 400, form_action="'self'")
        name = form.get("name", "").strip()[:100]
        self._people[email] = name or self._people.get(email) or email.partition("@")[0].title()
        now, code = time.monotonic(), secrets.token_urlsafe(32)
        self._codes = {each: grant for each, grant in self._codes.items() if grant.until > now}
        role = form.get("role") if form.get("role") in set(Role) else None
        self._codes[code] = _Grant(
            email, self._people[email], role, form.get("nonce"), form["code_challenge"], now + _CODE_SECONDS
        )
        return self._back(form, {"code": code})

    async def token(self, request: Request) -> Response:
        """Exchange a code, once, for whoever knows the verifier of the challenge that it was asked for with."""
        form = await _form(request)
        grant = self._codes.pop(form.get("code", ""), None)
        if (form.get("client_id"), form.get("grant_type")) != (CLIENT_ID, "authorization_code"):
            return JSONResponse({"error": "invalid_request"}, 400)
        if grant is None or grant.until <= time.monotonic() or form.get("redirect_uri") != self._redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if not hmac.compare_digest(_s256(form.get("code_verifier", "")), grant.challenge):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe(32)
        return JSONResponse(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": _TOKEN_SECONDS,
                "scope": "openid email profile",
                "id_token": self._id_token(grant, access_token),
            }
        )

    def _id_token(self, grant: _Grant, access_token: str) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": grant.email,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "email": grant.email,
            "email_verified": True,
            "name": grant.name,
            "at_hash": _base64(sha256(access_token.encode()).digest()[:16]),
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        if grant.role is not None:
            claims |= {"organization": SLUG, "role": grant.role}
        return jwt.encode({"alg": _ALG, "kid": self._key.kid}, claims, self._key)

    def _refused(self, asked: Mapping[str, str]) -> Response | None:
        """Why this can't be asked: told here where the browser can't safely be sent back, else there."""
        if (asked.get("client_id"), asked.get("redirect_uri")) != (CLIENT_ID, self._redirect_uri):
            return page("That didn’t work", "<p>No client of this identity provider has sent you.</p>", 400)
        if asked.get("response_type") != "code":
            return self._back(asked, {"error": "unsupported_response_type"})
        if "openid" not in asked.get("scope", "").split():
            return self._back(asked, {"error": "invalid_scope"})
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.get("code_challenge", "")):
            return self._back(asked, {"error": "invalid_request"})
        return None

    def _back(self, asked: Mapping[str, str], told: Mapping[str, str]) -> Response:
        query = {**told, "iss": self._issuer, **({"state": asked["state"]} if "state" in asked else {})}
        return RedirectResponse(f"{self._redirect_uri}?{urlencode(query)}", 303)

    def _choices(self, asked: Mapping[str, str]) -> str:
        kept = "\n".join(
            f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in _KEPT if name in asked
        )
        people = "\n".join(
            f'<button name="person" value="{escape(email)}">{escape(name)} <small>{escape(email)}</small></button>'
            for email, name in self._people.items()
        )
        roles = "\n".join(f"<option>{role}</option>" for role in Role)
        return _CHOICES.format(
            action=f"{ISSUER_PATH}/authorize", kept=kept, people=people, organization=SLUG, roles=roles
        )


async def _form(request: Request) -> dict[str, str]:
    body = await read_body(request, _LARGEST_BODY_BYTES)
    return dict(parse_qsl((body or b"").decode("utf-8", "replace"), keep_blank_values=True))


def _s256(verifier: str) -> str:
    return _base64(sha256(verifier.encode()).digest())


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


_ALG: Final = "ES256"
_CODE_SECONDS: Final = 60
_TOKEN_SECONDS: Final = 300
_LARGEST_BODY_BYTES: Final = 16 * 1024
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_EMAIL: Final = re.compile(r"[!-?A-~]{1,64}@[a-z0-9.-]{1,189}")
_KEPT: Final = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method"
)  # fmt: skip
_CHOICES: Final = """\
<p>This is development’s own identity provider: it believes what you say, and only this machine can ask it.</p>
<form method="post" action="{action}" class="choices">
{kept}
{people}
</form>
<form method="post" action="{action}">
{kept}
<label for="email">E-mail address of somebody else</label>
<input id="email" name="email" type="email" required autocomplete="off" placeholder="ada@acme.example">
<label for="name">Name</label>
<input id="name" name="name" maxlength="100" autocomplete="off">
<label for="role">Role in {organization}</label>
<select id="role" name="role">
<option value="">as it is, or none</option>
{roles}
</select>
<p class="buttons"><button>Sign in</button> <button name="cancel" value="1" formnovalidate>Not now</button></p>
</form>"""
