"""People who come with an identity provider's access token: over HTTP and WebSocket, as far as their roles reach."""

import logging
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from domain.entities.user import Role
from domain.user_service import UNAUTHENTICATED
from tests.gql.client import RESPONSE_JSON, Client
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.test_metrics import scrape
from tests.gql.waiting import eventually
from tests.gql.web_socket import open_socket
from tests.identity_provider.running import IdentityProviderServer
from tests.local_issuer import AUDIENCE, DISCOVERY, JWKS, LocalIssuer, running_local_issuer
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { user { name email avatarUrl } apiKey { id } } }"
ORGANIZATION = '{ organization(by: {slug: "acme"}) { slug viewerRole } }'
FOLLOW = """
subscription ($id: ID!, $after: String) {
  connectionEvents(organizationId: $id, after: $after) { type connection { name } }
}
"""


@pytest.fixture
async def partner() -> AsyncIterator[LocalIssuer]:
    async with running_local_issuer() as running:
        yield running


@pytest.fixture
async def server(
    database_url: str,
    sandbox: SandboxServer,
    encryption_key: str,
    identity_provider: IdentityProviderServer,
    partner: LocalIssuer,
) -> AsyncIterator[TetherServer]:
    """One that trusts the certified provider with all, and its partner with its own domain and organization."""
    async with running_tether(
        database_url,
        sandbox,
        encryption_key,
        TETHER_OIDC_ISSUERS="main, partner",
        TETHER_OIDC_MAIN_ISSUER=identity_provider.url,
        TETHER_OIDC_MAIN_AUDIENCE=AUDIENCE,
        TETHER_OIDC_MAIN_ORGANIZATION_CLAIM="organization",
        TETHER_OIDC_MAIN_ROLE_CLAIM="role",
        TETHER_OIDC_PARTNER_ISSUER=partner.url,
        TETHER_OIDC_PARTNER_AUDIENCE=f"tether,{AUDIENCE}",
        TETHER_OIDC_PARTNER_EMAIL_DOMAINS="partner.example",
        TETHER_OIDC_PARTNER_ORGANIZATION_CLAIM="org",
        TETHER_OIDC_PARTNER_ORGANIZATIONS="partner",
    ) as running:
        yield running


async def arrived(provider: IdentityProviderServer, **claims: Any) -> str:
    """The token of somebody new."""
    login = f"grace-{uuid4()}"
    email = {"email": f"{login}@acme.example", "email_verified": True}
    await provider.put_account(login, **{"name": "Grace Hopper", **email, **claims})
    return await provider.access_token(login, audience=AUDIENCE)


async def test_a_person_opens_with_their_token_and_is_known_as_their_provider_says(
    server: TetherServer, identity_provider: IdentityProviderServer
) -> None:
    token = await arrived(identity_provider, email="grace@acme.example", picture="https://pictures.example/grace.png")

    for _ in range(2):
        viewer = (await server.client(token).data(VIEWER))["viewer"]
        assert viewer == {
            "user": {
                "name": "Grace Hopper",
                "email": "grace@acme.example",
                "avatarUrl": "https://pictures.example/grace.png",
            },
            "apiKey": None,
        }
    [identity] = await server.rows("user_identities")
    assert (identity["issuer"], identity["subject"].startswith("subject-of-grace-")) == (identity_provider.url, True)


async def test_claims_bring_a_person_into_their_organization_with_their_role(
    server: TetherServer, identity_provider: IdentityProviderServer
) -> None:
    await server.token("acme", "owner@acme.example", Role.OWNER)
    admin = server.client(await arrived(identity_provider, organization="acme", role="admin"))
    stranger = server.client(await arrived(identity_provider, organization="nowhere", role="owner"))

    assert (await admin.data(ORGANIZATION))["organization"] == {"slug": "acme", "viewerRole": "ADMIN"}
    assert (await server.connect(admin, selection="status"))["status"] == "ACTIVE"
    assert (await stranger.data(ORGANIZATION))["organization"] is None


async def test_a_partners_word_counts_for_its_own_people_only(server: TetherServer, partner: LocalIssuer) -> None:
    for slug in ("acme", "partner"):
        await server.token(slug, f"owner@{slug}.example", Role.OWNER)

    def client(**claims: Any) -> Client:
        return server.client(partner.sign(partner.claims(time.time(), **claims)))

    ours = client(sub="1", email="owner@acme.example", org="acme")
    theirs = client(sub="2", email="owner@partner.example", org="partner")

    assert (await ours.data(ORGANIZATION))["organization"] is None  # neither as its owner nor as a new member
    assert (await ours.data(VIEWER))["viewer"]["user"]["email"] is None
    query = '{ organization(by: {slug: "partner"}) { viewerRole } }'
    assert (await theirs.data(query))["organization"] == {"viewerRole": "OWNER"}


async def test_whatever_is_wrong_with_a_token_the_answer_is_that_of_any_wrong_key(
    server: TetherServer,
    identity_provider: IdentityProviderServer,
    partner: LocalIssuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = await arrived(identity_provider)
    other = await identity_provider.access_token("ada", audience="https://other.example")
    forged = partner.sign(partner.claims(4e9, iss=identity_provider.url), key=partner.stranger)
    with caplog.at_level(logging.INFO):
        for token in ("x", good[:-4], good + ".x", other, forged, f"{good} {good}", "a.b." + "c" * 20_000):
            for accept, status in (("application/json", 200), (RESPONSE_JSON, 401)):
                answer = await server.client(token).post({"query": VIEWER}, accept=accept)
                assert (answer.status, answer.error) == (status, ("UNAUTHENTICATED", UNAUTHENTICATED))
    assert "A bearer token of main is refused: AUDIENCE." in caplog.text
    assert not any(part in caplog.text for token in (good, other, forged) for part in token.split("."))
    read = await scrape(server)
    refused = {
        outcome: read.value("tether_bearer_tokens_total", issuer="main", outcome=outcome)
        for outcome in ("AUDIENCE", "SIGNATURE", "KEY", "ACCEPTED")
    }
    assert refused["AUDIENCE"] == 2
    assert refused["ACCEPTED"] == 0
    assert read.value("tether_bearer_tokens_total", issuer="other", outcome="MALFORMED") >= 2
    assert read.labels("issuer") <= {"main", "partner", "other"}


async def test_while_an_issuer_is_down_its_tokens_wait_and_keys_do_not(
    server: TetherServer, partner: LocalIssuer
) -> None:
    partner.down = True
    client = server.client(partner.sign(partner.claims(time.time(), email=None)))
    unavailable = (
        "SERVICE_UNAVAILABLE",
        "The identity provider partner can't be asked for its keys, so that its tokens can't be verified now. "
        "Try again in a few seconds.",
    )
    for accept, status in (("application/json", 200), (RESPONSE_JSON, 503)):
        answer = await client.post({"query": VIEWER}, accept=accept)
        assert (answer.status, answer.error) == (status, unavailable)
    async with open_socket(server.ws_url) as socket:
        await socket.send({"type": "connection_init", "payload": {"authorization": f"Bearer {client.token}"}})
        assert await socket.close_code() == 1013
    member = await server.member()
    assert (await member.data(VIEWER))["viewer"]["user"]["name"] == "owner"
    read = await scrape(server)
    assert read.value("tether_identity_provider_fetches_total", issuer="partner", outcome="FAILED") == 1

    partner.down = False

    async def opens() -> bool:
        return "errors" not in (await client.execute(VIEWER)).body

    await eventually(opens)


async def test_who_is_invited_is_a_member_with_their_first_request_and_makes_a_key_of_their_own(
    server: TetherServer, partner: LocalIssuer
) -> None:
    owner, organization_id = await server.member(), await server.organization_id()
    given = {"organizationId": organization_id, "email": "Eve@Partner.example", "role": "ADMIN"}
    await owner.mutate("addMember", "invitation { id }", **given)
    unverified = partner.claims(time.time(), sub="not-eve", email="eve@partner.example", email_verified=False)
    assert (await server.client(partner.sign(unverified)).data(ORGANIZATION)) == {"organization": None}
    eve = server.client(partner.sign(partner.claims(time.time(), sub="eve", email="eve@partner.example")))

    assert await eve.data(ORGANIZATION) == {"organization": {"slug": "acme", "viewerRole": "ADMIN"}}

    given = {"organizationId": organization_id, "name": "bot", "role": "MEMBER"}
    payload = await eve.mutate("createApiKey", "token apiKey { user { email } }", **given)
    assert payload["apiKey"] == {"user": {"email": "eve@partner.example"}}
    by_key = server.client(payload["token"])
    assert await by_key.data(ORGANIZATION) == {"organization": {"slug": "acme", "viewerRole": "MEMBER"}}
    user_id = (await eve.data("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
    await owner.mutate("removeMember", "removedUserId", organizationId=organization_id, userId=user_id)
    assert await eve.data(ORGANIZATION) == {"organization": None}
    assert (await by_key.error(VIEWER))[0] == "UNAUTHENTICATED"


async def test_a_socket_lasts_as_long_as_its_token(server: TetherServer, partner: LocalIssuer) -> None:
    await server.member()  # of the organization that connections are made in where none is named
    owner, organization_id = await server.member(organization="partner"), await server.organization_id("partner")
    ending = time.time() - 56  # clocks may differ by a minute, so that it is good for four seconds more
    token = partner.sign(partner.claims(time.time(), exp=ending, email=None, org="partner"))

    async with server.socket(token) as socket:
        followed = await socket.subscribe(FOLLOW, id=organization_id, after=f"evt~{uuid_of(organization_id)}~1~0")
        await server.connect(owner, organizationId=organization_id, name="First")
        assert (await followed.event())["connection"] == {"name": "First"}

        async def over() -> bool:
            return "errors" in (await server.client(token).execute(VIEWER)).body

        await eventually(over)
        await server.connect(owner, organizationId=organization_id, name="Second")
        assert await socket.close_code() == 4403  # of itself: nobody asks for anything
        told = [followed.messages.get_nowait() for _ in range(followed.messages.qsize())]
        assert "Second" not in repr(told)


async def test_new_keys_are_taken_up_while_it_runs(server: TetherServer, partner: LocalIssuer) -> None:
    client = server.client(partner.sign(partner.claims(time.time(), email=None)))
    await client.data(VIEWER)
    partner.rotate("new")
    rotated = server.client(partner.sign(partner.claims(time.time(), email=None, sub="2"), kid="new"))

    assert "errors" not in (await rotated.execute(VIEWER)).body
    await client.data(VIEWER)
    assert partner.asked == {DISCOVERY: 2, JWKS: 2}
