"""Adding Slack's app to a workspace in a browser, refreshing what it brought, and giving it back."""

import json
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import GitHubAppSecret, OAuthSecret, TokenSecret
from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn, Grant
from domain.services.base import Identified, Revocation
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from domain.services.slack.authorization import SlackAuthorization
from domain.services.slack.grants import read_exchanged, read_refreshed
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
REDIRECT_URI = "https://tether.example/oauth/callback/slack"
SCOPES = ("chat:write", "channels:read")
TWELVE_HOURS_SECONDS = 12 * 60 * 60
CREDENTIAL = {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED}


@dataclass(frozen=True, slots=True)
class App:
    """An app at the simulated Slack, and Tether's side of it."""

    slack: Slack
    http: HttpClient
    sandbox: SandboxServer
    client: OAuthClient

    @property
    def authorization(self) -> SlackAuthorization:
        assert isinstance(self.slack.authorization, SlackAuthorization)
        return self.slack.authorization

    def address(self, state: str = "s") -> str:
        request = AuthorizationRequest(AuthorizationMethod.OAUTH2, Secret(state), None, REDIRECT_URI, SCOPES)
        return self.authorization.address(request)

    async def code(self) -> str:
        """What the browser brings after somebody has clicked."""
        return (await returned_with(self.address(), login="acme", decision="authorize"))["code"]

    async def granted(self) -> Grant:
        found = await self.authorization.exchange(came_back(code=await self.code()))
        assert isinstance(found, Grant), found
        return found

    async def oauth_secret(self) -> OAuthSecret:
        secret = (await self.granted()).secret
        assert isinstance(secret, OAuthSecret)
        return secret

    def with_client(self, client: OAuthClient) -> SlackAuthorization:
        made = Slack(self.http, self.sandbox.slack_api_url, self.sandbox.slack_url, now, client=client).authorization
        assert isinstance(made, SlackAuthorization)
        return made


def now() -> datetime:
    return datetime.now(UTC)


def came_back(**query: str) -> AuthorizationReturn:
    return AuthorizationReturn(AuthorizationMethod.OAUTH2, query, None, REDIRECT_URI)


async def returned_with(address: str, **clicked: str) -> dict[str, str]:
    """The query that the browser comes back with after this was clicked on Slack's page."""
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as browser:
        page = await browser.get(address)
        assert page.status_code == 200
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
        response = await browser.post(address, data=hidden | clicked)
    assert response.headers["location"].startswith(f"{REDIRECT_URI}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


async def an_app(http: HttpClient, sandbox: SandboxServer, access_lifetime_seconds: int | None) -> App:
    client = OAuthClient(f"{secrets.randbelow(10**9)}.42", Secret(secrets.token_hex(8)))
    document = {
        "secret": client.client_secret.reveal(),
        "redirect_uris": [REDIRECT_URI],
        "access_lifetime_seconds": access_lifetime_seconds,
        "refresh_lifetime_seconds": None,
    }
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as control:
        answer = await control.put(f"{sandbox.url}/_sandbox/clients/slack/{client.client_id}", json=document)
    assert answer.status_code == 201, answer.text
    return App(Slack(http, sandbox.slack_api_url, sandbox.slack_url, now, client=client), http, sandbox, client)


@pytest.fixture
async def rotating(http: HttpClient, sandbox: SandboxServer) -> App:
    return await an_app(http, sandbox, TWELVE_HOURS_SECONDS)


@pytest.fixture
async def lasting(http: HttpClient, sandbox: SandboxServer) -> App:
    return await an_app(http, sandbox, None)


async def test_the_browser_is_sent_with_scopes_by_commas_and_without_a_challenge(rotating: App) -> None:
    address = urlsplit(rotating.address("st at&e"))

    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{rotating.sandbox.slack_url}/oauth/v2/authorize"
    assert parse_qs(address.query) == {
        "client_id": [rotating.client.client_id],
        "scope": ["chat:write,channels:read"],
        "state": ["st at&e"],
        "redirect_uri": [REDIRECT_URI],
    }
    assert not rotating.authorization.uses_pkce
    assert rotating.authorization.issuer is None


async def test_what_a_click_brings_is_a_bots_token_that_ends_and_renews_itself(rotating: App) -> None:
    before = now()

    grant = await rotating.granted()

    assert isinstance(grant.secret, OAuthSecret)
    assert grant.secret.refresh_token is not None
    assert grant.scopes == SCOPES
    assert grant.refresh_expires_at is None
    assert grant.expires_at is not None
    assert abs(grant.expires_at - before - timedelta(hours=12)) < timedelta(seconds=30)
    found = await rotating.slack.identify(grant.secret)
    assert isinstance(found, Identified)
    assert (found.identity.account.id, found.identity.webhook_key) == ("T0ACME123", "team:T0ACME123")
    assert grant.webhook_key == "team:T0ACME123"
    assert found.identity.scopes == SCOPES


async def test_without_rotation_the_token_neither_ends_nor_renews_and_is_the_same_again(lasting: App) -> None:
    first, second = await lasting.granted(), await lasting.granted()

    assert isinstance(first.secret, OAuthSecret)
    assert (first.secret.refresh_token, first.expires_at) == (None, None)
    assert second.secret == first.secret
    refused = await lasting.authorization.refresh(first.secret)
    assert isinstance(refused, ServiceFault)
    assert (refused.kind, refused.code) == (FaultKind.CREDENTIAL_REFUSED, "slack_refresh_token_missing")


async def test_a_person_who_cancels_comes_back_with_the_reason_and_the_state(rotating: App) -> None:
    query = await returned_with(rotating.address("abc"), decision="cancel")

    assert query == {"error": "access_denied", "state": "abc"}
    refused = await rotating.authorization.exchange(came_back(**query))
    assert isinstance(refused, ServiceFault)
    assert (refused.kind, refused.code) == (FaultKind.CREDENTIAL_REFUSED, "slack_code_missing")


async def test_a_code_is_taken_once_and_by_its_own_app_only(rotating: App, lasting: App) -> None:
    code = await rotating.code()
    stolen = await lasting.authorization.exchange(came_back(code=code))
    first = await rotating.authorization.exchange(came_back(code=code))
    again = await rotating.authorization.exchange(came_back(code=code))

    assert isinstance(first, Grant)
    for refused in (stolen, again):
        assert isinstance(refused, ServiceFault)
        assert (refused.kind, refused.remedy) == (FaultKind.CREDENTIAL_REFUSED, Remedy.RECONNECT)
        assert code not in repr(refused)


async def test_a_refusal_of_our_client_is_the_operators_matter(rotating: App) -> None:
    wrong_secret = replace(rotating.client, client_secret=Secret("wrong"))
    wrong_id = replace(rotating.client, client_id="0.0")
    secret = await rotating.oauth_secret()
    elsewhere = replace(came_back(code=await rotating.code()), redirect_uri="https://elsewhere.example/")

    answers = [
        await rotating.with_client(wrong_secret).refresh(secret),
        await rotating.with_client(wrong_id).refresh(secret),
        await rotating.authorization.exchange(elsewhere),
    ]

    assert [answer.code for answer in answers if isinstance(answer, ServiceFault)] == [
        "slack_bad_client_secret",
        "slack_invalid_client_id",
        "slack_bad_redirect_uri",
    ]
    for answer in answers:
        assert isinstance(answer, ServiceFault)
        assert (answer.kind, answer.remedy) == (FaultKind.CLIENT_REFUSED, Remedy.CONTACT_ADMIN)
    assert isinstance(await rotating.authorization.refresh(secret), Grant), "the refresh token was not spent"


async def test_a_refresh_replaces_both_tokens_and_a_second_use_ends_them_all(rotating: App) -> None:
    first = await rotating.oauth_secret()

    renewed = await rotating.authorization.refresh(first)

    assert isinstance(renewed, Grant)
    assert isinstance(renewed.secret, OAuthSecret)
    assert renewed.secret.refresh_token not in (None, first.refresh_token)
    assert renewed.secret.access_token != first.access_token
    assert (renewed.scopes, renewed.expires_at is None) == (SCOPES, False)
    assert isinstance(await rotating.slack.identify(renewed.secret), Identified)

    reused = await rotating.authorization.refresh(first)

    assert isinstance(reused, ServiceFault)
    assert (reused.kind, reused.code) == (FaultKind.CREDENTIAL_REFUSED, "slack_refresh_refused")
    dead = await rotating.slack.identify(renewed.secret)
    assert isinstance(dead, ServiceFault)
    assert (dead.kind, dead.code) == (FaultKind.CREDENTIAL_REVOKED, "slack_token_revoked")


async def test_a_slack_that_is_down_speaks_neither_against_the_code_nor_against_the_token(rotating: App) -> None:
    secret, code = await rotating.oauth_secret(), await rotating.code()
    await rotating.sandbox.set_down("slack", True)
    try:
        answers = [
            await rotating.authorization.refresh(secret),
            await rotating.authorization.exchange(came_back(code=code)),
            await rotating.slack.revoke(secret),
        ]
    finally:
        await rotating.sandbox.set_down("slack", False)

    for answer in answers:
        assert isinstance(answer, ServiceFault)
        assert (answer.kind, answer.code) == (FaultKind.SERVICE_ERROR, "slack_server_error")
    assert isinstance(await rotating.authorization.exchange(came_back(code=code)), Grant), "nor was it tried twice"


async def test_what_our_app_was_given_is_given_back_and_a_second_time_is_no_failure(rotating: App) -> None:
    secret = await rotating.oauth_secret()

    assert rotating.slack.revokes(secret)
    assert await rotating.slack.revoke(secret) is Revocation.REVOKED
    assert await rotating.slack.revoke(secret) is Revocation.REVOKED

    dead = await rotating.slack.identify(secret)
    assert isinstance(dead, ServiceFault)
    assert dead.kind is FaultKind.CREDENTIAL_REVOKED
    assert isinstance(await rotating.authorization.refresh(secret), ServiceFault)


async def test_the_refresh_token_ends_too_where_the_access_token_has_expired(rotating: App) -> None:
    """Slack refuses to revoke an expired token; what would renew it must not live on."""
    secret = await rotating.oauth_secret()
    await rotating.sandbox.put_token("ended", service="slack", behaviour="expired")

    assert rotating.slack.revokes(replace(secret, access_token=Secret("ended")))
    assert await rotating.slack.revoke(replace(secret, access_token=Secret("ended"))) is Revocation.REVOKED

    assert isinstance(await rotating.authorization.refresh(secret), ServiceFault)


async def test_a_token_that_somebody_made_by_hand_is_left_alone(rotating: App) -> None:
    token = f"canary-{secrets.token_hex(8)}"
    await rotating.sandbox.put_token(token, service="slack")

    assert not rotating.slack.revokes(TokenSecret(Secret(token)))
    assert await rotating.slack.revoke(TokenSecret(Secret(token))) is Revocation.NOT_REVOCABLE
    assert await rotating.sandbox.calls(token) == []


async def test_a_revocation_that_slack_limits_is_to_be_tried_again(rotating: App) -> None:
    await rotating.sandbox.put_token("limited", service="slack", behaviour="rate_limited", retry_after_seconds=9)

    found = await rotating.slack.revoke(OAuthSecret(Secret("limited")))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.retry_after_seconds) == (FaultKind.RATE_LIMITED, 9)


async def test_an_installation_of_a_github_app_opens_nothing_here(rotating: App) -> None:
    found = await rotating.slack.identify(GitHubAppSecret("1", "2"))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code) == (FaultKind.CREDENTIAL_REFUSED, "slack_wrong_kind")


async def test_without_a_registered_app_only_tokens_connect(http: HttpClient, rotating: App) -> None:
    bare = Slack(http, "https://slack.example/api", "https://slack.example", now)

    assert bare.authorization is None
    assert bare.webhooks is None
    assert bare.repositories is None
    assert bare.authorization_methods == (AuthorizationMethod.TOKEN,)
    assert rotating.slack.authorization_methods == (AuthorizationMethod.OAUTH2, AuthorizationMethod.TOKEN)


def said(body: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {}, json.dumps(body).encode(), 5)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (said({"ok": False, "error": "invalid_refresh_token"}), FaultKind.CREDENTIAL_REFUSED, "slack_refresh_refused"),
        (said({"error": "invalid_grant"}, 400), FaultKind.CREDENTIAL_REFUSED, "slack_refresh_refused"),
        (said({"ok": False, "error": "invalid_grant"}, 400), FaultKind.CREDENTIAL_REFUSED, "slack_refresh_refused"),
        (said({"ok": False, "error": "token_revoked"}), FaultKind.CREDENTIAL_REFUSED, "slack_refresh_refused"),
        (said({"error": "invalid_client"}, 401), FaultKind.CLIENT_REFUSED, "slack_bad_client_secret"),
        (said({"ok": False, "error": "invalid_auth"}), FaultKind.CLIENT_REFUSED, "slack_bad_client_secret"),
        (said({"ok": False, "error": "ratelimited"}, 429), FaultKind.RATE_LIMITED, "slack_rate_limited"),
        (said({"error": "invalid_grant"}, 503), FaultKind.SERVICE_ERROR, "slack_server_error"),
        (said({"ok": False, "error": "internal_error"}), FaultKind.SERVICE_ERROR, "slack_error"),
        (said({"error": "something_new"}, 400), FaultKind.SERVICE_ERROR, "slack_unexpected_answer"),
        (said({"ok": True, "error": "invalid_grant"}), FaultKind.SERVICE_ERROR, "slack_unexpected_answer"),
        (said({"ok": True, "access_token": "a b"}), FaultKind.SERVICE_ERROR, "slack_unexpected_answer"),
        (said({"ok": True, "access_token": "\ud800"}), FaultKind.SERVICE_ERROR, "slack_unexpected_answer"),
        (said({"ok": True, "authed_user": {"access_token": "x"}}), FaultKind.SERVICE_ERROR, "slack_unexpected_answer"),
    ],
)
def test_each_refusal_of_a_refresh_blames_who_is_to_blame(answer: HttpAnswer, kind: FaultKind, code: str) -> None:
    found = read_refreshed(answer, Secret("used"), NOW)

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code, found.latency_ms) == (kind, code, 5)


def test_a_refresh_token_that_slack_does_not_renew_stays() -> None:
    found = read_refreshed(said({"ok": True, "access_token": "new"}), Secret("used"), NOW)

    assert isinstance(found, Grant)
    assert found == Grant(OAuthSecret(Secret("new"), Secret("used")))


@pytest.mark.parametrize(
    ("installed", "key"),
    [
        ({"team": {"id": "T1"}, "enterprise": {"id": "E1"}, "is_enterprise_install": False}, "team:T1"),
        ({"team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": True}, "enterprise:E1"),
        ({"team": {"id": 7}}, None),
        ({"team": "T1"}, None),
        ({}, None),
    ],
)
def test_a_grant_says_whose_it_is_where_slack_does(installed: dict[str, Json], key: str | None) -> None:
    found = read_exchanged(said({"ok": True, "access_token": "new", **installed}), NOW)

    assert isinstance(found, Grant)
    assert found.webhook_key == key


any_answer = st.builds(
    lambda status, body: HttpAnswer(status, {}, body, 5),
    st.integers(200, 599),
    st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["ok", "error", "access_token", "refresh_token", "scope", "expires_in"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3)),
    ).map(lambda body: json.dumps(body).encode()),
)


@given(any_answer)
def test_whatever_the_token_endpoint_answers_is_a_grant_or_a_fault(answer: HttpAnswer) -> None:
    for found in (read_exchanged(answer, NOW), read_refreshed(answer, Secret("used"), NOW)):
        if isinstance(found, Grant):
            assert isinstance(found.secret, OAuthSecret)
            assert found.secret.access_token.reveal().isascii()
            assert answer.status == 200
        else:
            assert found.kind not in CREDENTIAL or b"error" in answer.body
