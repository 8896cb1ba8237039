"""A person at a simulated service's authorize page: what the browser comes back with. Used by the tests of services."""

import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

import httpx2
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]  # authlib has no types

from domain.secret import Secret
from domain.services.authorization import Authorization, AuthorizationMethod, AuthorizationRequest, AuthorizationReturn
from domain.services.base import Service
from tests.plain_http import NO_TLS


def authorization_of(service: Service) -> Authorization:
    assert service.authorization is not None
    return service.authorization


async def come_back(
    service: Service, redirect_uri: str, scopes: Sequence[str], **answer: str
) -> tuple[AuthorizationReturn, Mapping[str, str]]:
    """Go to the page, answer it (`login=alice`), and give what exchanges the code, and the whole query."""
    verifier = Secret(secrets.token_urlsafe(48))
    challenge = create_s256_code_challenge(verifier.reveal())
    state = Secret(secrets.token_hex(8))
    request = AuthorizationRequest(AuthorizationMethod.OAUTH2, state, challenge, redirect_uri, scopes)
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as browser:
        page = await browser.get(authorization_of(service).address(request))
        assert page.status_code == 200, page.text
        assert "<form" in page.text
        form = dict(parse_qsl(urlsplit(str(page.url)).query)) | {"decision": "authorize"} | answer
        sent_back = await browser.post(str(page.url), data=form)
    assert sent_back.status_code == 302, sent_back.text
    address = sent_back.headers["location"]
    assert address.startswith(f"{redirect_uri}?")
    query = dict(parse_qsl(urlsplit(address).query))
    assert query["state"] == state.reveal()
    return AuthorizationReturn(AuthorizationMethod.OAUTH2, query, verifier, redirect_uri), query
