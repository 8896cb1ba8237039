"""How a browser links GitHub: by OAuth, and by installing an app; and how what it brings is renewed and ended."""

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import GitHubAppSecret, OAuthSecret, TokenSecret
from domain.entities.health import Remedy
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.authorization import (
    Authorization,
    AuthorizationMethod,
    AuthorizationRequest,
    AuthorizationReturn,
    Grant,
)
from domain.services.base import Identified, Revocation
from domain.services.github import GitHub, GitHubApp
from domain.services.github.grants import read_grant
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from sandbox.oauth import challenge_of
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

REDIRECT_URI = "https://tether.example/oauth/callback/github"
CLIENT = OAuthClient("the-oauth-app", Secret("not-a-secret-of-anything"))
APP_CLIENT = OAuthClient("the-app-client", Secret("not-a-secret-either"))
APP_ID, SLUG = "2002", "the-app"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
async def app(sandbox: SandboxServer) -> GitHubApp:
    for client in (CLIENT, APP_CLIENT):
        secret = client.client_secret.reveal()
        await sandbox.put_client("github", client.client_id, secret=secret, redirect_uris=[REDIRECT_URI])
    await sandbox.put_github_app(APP_ID, slug=SLUG, client_id=APP_CLIENT.client_id)
    return GitHubApp(APP_ID, SLUG, Secret(await sandbox.make_github_app_key(APP_ID)))


@pytest.fixture
def github(http: HttpClient, sandbox: SandboxServer, app: GitHubApp) -> GitHub:
    """With a plain OAuth app: its tokens have scopes."""
    return GitHub(http, sandbox.github_api_url, sandbox.github_url, now, client=CLIENT)


@pytest.fixture
def with_app(http: HttpClient, sandbox: SandboxServer, app: GitHubApp) -> GitHub:
    return GitHub(http, sandbox.github_api_url, sandbox.github_url, now, client=APP_CLIENT, app=app)


@pytest.fixture
async def person(sandbox: SandboxServer) -> AsyncIterator[str]:
    """The login of somebody whom GitHub knows."""
    login, token = f"person-{secrets.token_hex(4)}", secrets.token_hex(8)
    account = {"id": 10_000 + secrets.randbelow(1 << 30), "login": login, "name": "Somebody"}
    await sandbox.put_token(token, service="github", account=account)
    yield login
    await sandbox.forget_token(token)


class Journey:
    """One browser's way to GitHub and back."""

    def __init__(self, service: GitHub, sandbox: SandboxServer, method: AuthorizationMethod) -> None:
        assert service.authorization is not None
        self.authorization: Authorization = service.authorization
        self.verifier, self.state = Secret(secrets.token_urlsafe(32)), Secret(secrets.token_urlsafe(16))
        self.method, self._sandbox = method, sandbox

    @property
    def address(self) -> str:
        challenge = challenge_of(self.verifier.reveal())
        return self.authorization.address(
            AuthorizationRequest(self.method, self.state, challenge, REDIRECT_URI, ["repo", "read:org"])
        )

    async def returned(self, **answers: str) -> AuthorizationReturn:
        query = await self._sandbox.browse(self.address, **answers)
        assert query.pop("state") == self.state.reveal()
        return AuthorizationReturn(self.method, query, self.verifier, REDIRECT_URI)

    async def grant(self, person: str) -> Grant:
        grant = await self.authorization.exchange(await self.returned(login=person))
        assert isinstance(grant, Grant), grant
        return grant


@pytest.fixture
def journey(github: GitHub, sandbox: SandboxServer) -> Journey:
    return Journey(github, sandbox, AuthorizationMethod.OAUTH2)


@pytest.fixture
def app_journey(with_app: GitHub, sandbox: SandboxServer) -> Journey:
    return Journey(with_app, sandbox, AuthorizationMethod.GITHUB_APP)


def fault(answer: object) -> ServiceFault:
    assert isinstance(answer, ServiceFault), answer
    return answer


def oauth(grant: Grant) -> OAuthSecret:
    assert isinstance(grant.secret, OAuthSecret)
    return grant.secret


async def test_a_browser_is_sent_with_everything_github_asks_for(journey: Journey, sandbox: SandboxServer) -> None:
    parts = urlsplit(journey.address)

    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{sandbox.github_url}/login/oauth/authorize"
    assert dict(parse_qsl(parts.query)) == {
        "client_id": CLIENT.client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": "repo read:org",
        "state": journey.state.reveal(),
        "code_challenge": challenge_of(journey.verifier.reveal()),
        "code_challenge_method": "S256",
    }
    assert journey.authorization.uses_pkce
    assert journey.authorization.issuer is None


async def test_a_code_becomes_tokens_of_the_person(journey: Journey, github: GitHub, person: str) -> None:
    grant = await journey.grant(person)

    assert grant.scopes == ("repo", "read:org")
    assert grant.expires_at is not None
    assert timedelta(hours=7) < grant.expires_at - now() <= timedelta(hours=8)
    assert grant.refresh_expires_at is not None
    assert grant.refresh_expires_at - now() > timedelta(days=179)
    found = await github.identify(grant.secret)
    assert isinstance(found, Identified)
    assert found.identity.account.name == person
    assert found.identity.webhook_key == f"account:{found.identity.account.id}"
    assert found.identity.scopes == ("repo", "read:org")


async def test_a_code_is_good_once_and_its_reuse_ends_the_tokens(journey: Journey, github: GitHub, person: str) -> None:
    returned = await journey.returned(login=person)
    grant = await journey.authorization.exchange(returned)
    assert isinstance(grant, Grant)

    again = fault(await journey.authorization.exchange(returned))

    assert (again.kind, again.code) == (FaultKind.CREDENTIAL_REFUSED, "github_code_refused")
    assert fault(await github.identify(grant.secret)).kind is FaultKind.CREDENTIAL_REFUSED


async def test_a_stolen_code_is_worth_nothing_without_the_verifier(journey: Journey, person: str) -> None:
    returned = await journey.returned(login=person)

    without = fault(await journey.authorization.exchange(replace(returned, code_verifier=None)))
    with_another = fault(await journey.authorization.exchange(replace(returned, code_verifier=Secret("x" * 43))))

    assert {without.code, with_another.code} == {"github_code_refused"}


async def test_a_refusal_of_our_client_is_the_operators_matter(
    journey: Journey, http: HttpClient, sandbox: SandboxServer, person: str
) -> None:
    returned = await journey.returned(login=person)
    elsewhere = fault(await journey.authorization.exchange(replace(returned, redirect_uri="https://elsewhere.example")))
    mistyped = OAuthClient(CLIENT.client_id, Secret("mistyped"))
    github = GitHub(http, sandbox.github_api_url, sandbox.github_url, now, client=mistyped)
    assert github.authorization is not None
    credentials = fault(await github.authorization.exchange(returned))
    refreshed = fault(await github.authorization.refresh(OAuthSecret(Secret("a"), Secret("r"))))
    revoked = fault(await github.revoke(OAuthSecret(Secret("a"), Secret("r"))))

    for each in (elsewhere, credentials, refreshed, revoked):
        assert (each.kind, each.code) == (FaultKind.CLIENT_REFUSED, "github_client_refused")
        assert each.remedy is Remedy.CONTACT_ADMIN
        assert "mistyped" not in repr(each)
    assert elsewhere.evidence == {"error": "redirect_uri_mismatch"}
    assert credentials.evidence == {"error": "incorrect_client_credentials"}


async def test_consent_denied_comes_back_as_an_error(journey: Journey) -> None:
    returned = await journey.returned(decision="cancel")

    assert returned.query["error"] == "access_denied"
    assert fault(await journey.authorization.exchange(returned)).code == "github_code_refused"


async def test_a_refresh_brings_new_tokens_and_ends_the_old(journey: Journey, github: GitHub, person: str) -> None:
    first = oauth(await journey.grant(person))

    second = await journey.authorization.refresh(first)

    assert isinstance(second, Grant)
    assert oauth(second).refresh_token is not None
    assert oauth(second).refresh_token != first.refresh_token
    assert second.expires_at is not None
    assert isinstance(await github.identify(second.secret), Identified)
    assert fault(await github.identify(first)).kind is FaultKind.CREDENTIAL_REFUSED


async def test_a_used_refresh_token_is_refused_and_ends_the_family(
    journey: Journey, github: GitHub, sandbox: SandboxServer, person: str
) -> None:
    first = oauth(await journey.grant(person))
    second = await journey.authorization.refresh(first)
    assert isinstance(second, Grant)
    before = await sandbox.refreshes("github", CLIENT.client_id)

    again = fault(await journey.authorization.refresh(first))

    assert (again.kind, again.code) == (FaultKind.CREDENTIAL_REFUSED, "github_refresh_refused")
    assert fault(await github.identify(second.secret)).kind is FaultKind.CREDENTIAL_REFUSED
    assert fault(await journey.authorization.refresh(oauth(second))).code == "github_refresh_refused"
    after = await sandbox.refreshes("github", CLIENT.client_id)
    assert (after.taken - before.taken, after.reused - before.reused) == (0, 1)


async def test_without_a_refresh_token_nothing_is_asked(journey: Journey, sandbox: SandboxServer) -> None:
    before = len(await sandbox.calls())

    assert fault(await journey.authorization.refresh(OAuthSecret(Secret("a")))).code == "github_refresh_refused"
    assert len(await sandbox.calls()) == before


async def test_github_being_down_speaks_against_nothing(journey: Journey, sandbox: SandboxServer, person: str) -> None:
    secret = oauth(await journey.grant(person))
    await sandbox.set_down("github", True)
    try:
        refreshed = fault(await journey.authorization.refresh(secret))
    finally:
        await sandbox.set_down("github", False)

    assert refreshed.kind is FaultKind.SERVICE_ERROR
    assert isinstance(await journey.authorization.refresh(secret), Grant)


async def test_revoking_ends_both_tokens_and_is_done_with_the_unknown(
    journey: Journey, github: GitHub, person: str
) -> None:
    secret = oauth(await journey.grant(person))

    assert github.revokes(secret)
    assert await github.revoke(secret) is Revocation.REVOKED
    assert fault(await github.identify(secret)).kind is FaultKind.CREDENTIAL_REFUSED
    assert fault(await journey.authorization.refresh(secret)).code == "github_refresh_refused"
    assert await github.revoke(secret) is Revocation.REVOKED
    assert not github.revokes(TokenSecret(Secret("somebodys")))
    assert await github.revoke(TokenSecret(Secret("somebodys"))) is Revocation.NOT_REVOCABLE


async def test_an_apps_users_have_permissions_instead_of_scopes(
    with_app: GitHub, sandbox: SandboxServer, person: str
) -> None:
    grant = await Journey(with_app, sandbox, AuthorizationMethod.OAUTH2).grant(person)

    assert grant.scopes is None
    found = await with_app.identify(grant.secret)
    assert isinstance(found, Identified)
    assert found.identity.scopes is None


async def test_installing_the_app_proves_whose_it_is_and_keeps_no_token_of_the_person(
    app_journey: Journey, with_app: GitHub, sandbox: SandboxServer, person: str
) -> None:
    assert app_journey.address.startswith(f"{sandbox.github_url}/apps/{SLUG}/installations/new?state=")
    returned = await app_journey.returned(login=person)
    assert returned.query["setup_action"] == "install"

    grant = await app_journey.authorization.exchange(returned)

    assert isinstance(grant, Grant)
    assert grant.secret == GitHubAppSecret(APP_ID, returned.query["installation_id"])
    assert grant.expires_at is None
    user_tokens = [call.token for call in await sandbox.calls() if call.path == "/user/installations"]
    assert user_tokens[-1] is not None
    identified = await with_app.identify(OAuthSecret(Secret(user_tokens[-1])))
    assert fault(identified).kind is FaultKind.CREDENTIAL_REFUSED
    again = await app_journey.returned(login=person)
    assert again.query["setup_action"] == "update"
    second = await app_journey.authorization.exchange(again)
    assert isinstance(second, Grant)
    assert second.secret == grant.secret


async def test_an_installation_of_somebody_else_cannot_be_claimed(
    app_journey: Journey, sandbox: SandboxServer, person: str
) -> None:
    theirs = await app_journey.returned(login="globex-bot")
    mine = await app_journey.returned(login=person)

    claimed = replace(mine, query={**mine.query, "installation_id": theirs.query["installation_id"]})
    refused = fault(await app_journey.authorization.exchange(claimed))

    assert (refused.kind, refused.code) == (FaultKind.CREDENTIAL_REFUSED, "github_installation_not_yours")


@pytest.fixture
async def organization(sandbox: SandboxServer) -> str:
    """The installation of the app on an organization that nobody owns yet."""
    number = 80_000_000 + secrets.randbelow(1 << 30)
    account = {"id": number, "login": f"org-{number}", "name": "Organization", "type": "Organization"}
    await sandbox.put_installation(number, app_id=APP_ID, account=account, users=[])
    return str(number)


async def claimed(journey: Journey, person: str, installation_id: str) -> Grant | ServiceFault:
    """What comes of it if the person puts that installation into the address of their own way back."""
    mine = await journey.returned(login=person)
    return await journey.authorization.exchange(replace(mine, query={**mine.query, "installation_id": installation_id}))


async def test_an_organization_is_connected_by_its_owners_only(
    app_journey: Journey, with_app: GitHub, sandbox: SandboxServer, person: str, organization: str
) -> None:
    """GitHub shows an installation to whoever may read one repository of it."""
    await sandbox.put_installation(int(organization), users=[person])
    refused = fault(await claimed(app_journey, person, organization))
    assert (refused.kind, refused.code) == (FaultKind.ADMIN_REQUIRED, "github_not_owner")
    user_token = (await sandbox.calls())[-2].token
    assert user_token is not None
    identified = await with_app.identify(OAuthSecret(Secret(user_token)))
    assert fault(identified).kind is FaultKind.CREDENTIAL_REFUSED, "no token of the person's is left over"

    await sandbox.put_installation(int(organization), owners=[person])
    grant = await claimed(app_journey, person, organization)
    assert isinstance(grant, Grant)
    assert grant.secret == GitHubAppSecret(APP_ID, organization)


async def test_a_personal_account_is_connected_by_its_own_person_only(
    app_journey: Journey, sandbox: SandboxServer, person: str
) -> None:
    theirs = (await app_journey.returned(login="globex-bot")).query["installation_id"]
    await sandbox.put_installation(int(theirs), users=["globex-bot", person])

    assert fault(await claimed(app_journey, person, theirs)).code == "github_not_owner"
    assert isinstance(await claimed(app_journey, "globex-bot", theirs), Grant)


async def test_what_is_neither_persons_nor_organizations_is_nobodys_to_connect(
    app_journey: Journey, sandbox: SandboxServer, person: str, organization: str
) -> None:
    """Such as an enterprise, whose number is of another row than those of people."""
    own = (await app_journey.returned(login=person)).query["installation_id"]
    await sandbox.put_installation(int(own), account={"type": "Enterprise"})

    assert fault(await claimed(app_journey, person, own)).code == "github_not_owner"


async def test_an_app_that_may_not_see_owners_is_the_operators_matter(
    app_journey: Journey, sandbox: SandboxServer, person: str, organization: str
) -> None:
    await sandbox.put_installation(int(organization), users=[person], owners=[person], permissions={"metadata": "read"})

    refused = fault(await claimed(app_journey, person, organization))

    assert (refused.kind, refused.code) == (FaultKind.CLIENT_REFUSED, "github_members_not_shown")
    assert "Members" in refused.message


@pytest.mark.parametrize("installation_id", ["", "abc", "1/../2", "9" * 19, "٣"])
async def test_what_is_no_installations_id_is_not_asked_about(
    installation_id: str, app_journey: Journey, sandbox: SandboxServer
) -> None:
    before = len(await sandbox.calls())
    query = {"code": "x", "installation_id": installation_id, "setup_action": "install"}
    returned = AuthorizationReturn(AuthorizationMethod.GITHUB_APP, query, None, REDIRECT_URI)

    assert fault(await app_journey.authorization.exchange(returned)).code == "github_installation_not_yours"
    assert len(await sandbox.calls()) == before


async def test_an_installation_among_many_is_found(app_journey: Journey, sandbox: SandboxServer, person: str) -> None:
    for number in range(150):
        await sandbox.put_installation(70_000 + number, app_id=APP_ID, users=[person])

    grant = await app_journey.grant(person)

    assert isinstance(grant.secret, GitHubAppSecret)
    assert grant.secret.installation_id not in {str(70_000 + number) for number in range(150)}


async def test_an_installation_that_an_owner_must_approve_says_so(app_journey: Journey, person: str) -> None:
    returned = await app_journey.returned(login=person, decision="request")
    refused = fault(await app_journey.authorization.exchange(returned))

    assert (refused.kind, refused.code) == (FaultKind.ADMIN_REQUIRED, "github_approval_needed")
    assert "owner" in refused.message


async def test_an_app_that_asks_no_authorization_is_the_operators_matter(app_journey: Journey) -> None:
    query = {"installation_id": "1", "setup_action": "install"}
    returned = AuthorizationReturn(AuthorizationMethod.GITHUB_APP, query, None, REDIRECT_URI)
    refused = fault(await app_journey.authorization.exchange(returned))

    assert (refused.kind, refused.code) == (FaultKind.CLIENT_REFUSED, "github_app_asks_no_authorization")


async def test_an_installation_is_left_to_its_owner(with_app: GitHub, app_journey: Journey, person: str) -> None:
    grant = await app_journey.grant(person)

    assert not with_app.revokes(grant.secret)
    assert await with_app.revoke(grant.secret) is Revocation.NOT_REVOCABLE
    assert isinstance(await with_app.identify(grant.secret), Identified)


async def test_only_what_is_registered_is_offered(http: HttpClient, app: GitHubApp) -> None:
    without = GitHub(http, "https://api.example", "https://web.example", now, app=app)
    client_only = GitHub(http, "https://api.example", "https://web.example", now, client=CLIENT)
    both = GitHub(http, "https://api.example", "https://web.example", now, client=CLIENT, app=app)

    assert without.authorization is None
    assert client_only.authorization is not None
    assert both.authorization is not None
    assert list(client_only.authorization.methods) == ["OAUTH2"]
    assert list(both.authorization.methods) == ["OAUTH2", "GITHUB_APP"]
    assert set(without.authorization_methods) == {"TOKEN", "GITHUB_APP"}
    assert set(both.authorization_methods) == {"TOKEN", "GITHUB_APP", "OAUTH2"}
    assert app.private_key.reveal() not in repr(app)


async def test_without_the_app_an_installation_is_the_operators_matter(journey: Journey) -> None:
    query = {"code": "x", "installation_id": "1", "setup_action": "install"}
    returned = AuthorizationReturn(AuthorizationMethod.GITHUB_APP, query, None, REDIRECT_URI)
    refused = fault(await journey.authorization.exchange(returned))

    assert (refused.kind, refused.code) == (FaultKind.CLIENT_REFUSED, "github_app_not_set_up")


any_part = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
token_answers = st.dictionaries(
    st.sampled_from(["access_token", "refresh_token", "scope", "expires_in", "refresh_token_expires_in", "error"]),
    any_part,
)


@given(st.integers(200, 599), token_answers)
def test_whatever_the_token_endpoint_answers_is_a_grant_or_a_fault(status: int, body: dict[str, Any]) -> None:
    answer = read_grant(HttpAnswer(status, {}, json.dumps(body).encode(), 5), now())

    if isinstance(answer, ServiceFault):
        assert answer.kind is not FaultKind.CREDENTIAL_REVOKED
    else:
        assert answer.scopes is None or all(answer.scopes)
        assert answer.expires_at is None or answer.expires_at > now() - timedelta(minutes=1)


@given(st.integers(400, 599), st.binary(max_size=60))
def test_only_githubs_own_words_speak_against_a_refresh_token(status: int, body: bytes) -> None:
    assert fault(read_grant(HttpAnswer(status, {}, body, 5), now())).kind is not FaultKind.CREDENTIAL_REFUSED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("bad_refresh_token", FaultKind.CREDENTIAL_REFUSED),
        ("bad_verification_code", FaultKind.CREDENTIAL_REFUSED),
        ("unverified_user_email", FaultKind.CREDENTIAL_REFUSED),
        ("incorrect_client_credentials", FaultKind.CLIENT_REFUSED),
        ("redirect_uri_mismatch", FaultKind.CLIENT_REFUSED),
        ("application_suspended", FaultKind.CLIENT_REFUSED),
        ("something_new", FaultKind.SERVICE_ERROR),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_an_error_means_the_same_whatever_the_status(error: str, kind: FaultKind, status: int) -> None:
    body = json.dumps({"error": error, "error_description": "Said by GitHub."}).encode()

    assert fault(read_grant(HttpAnswer(status, {}, body, 5), now())).kind is kind
