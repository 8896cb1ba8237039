"""A provider that plays false gets nobody's code of another one: each has an address of its own to send browsers to."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import SigningIn, a_browser_at
from tests.local_issuer import CLIENT_ID, TokenIssuer, running_token_issuer
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def honest() -> AsyncIterator[TokenIssuer]:
    """It doesn't say in its answers who it is (`iss`), as many don't."""
    async with running_token_issuer() as issuer:
        yield issuer


@pytest.fixture
async def false() -> AsyncIterator[TokenIssuer]:
    async with running_token_issuer() as issuer:
        yield issuer


@pytest.fixture
async def both(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str, honest: TokenIssuer, false: TokenIssuer
) -> AsyncIterator[TetherServer]:
    """A Tether that knows the two."""
    issuers = {"HONEST": honest, "FALSE": false}
    variables = {f"TETHER_OIDC_{name}_ISSUER": issuer.url for name, issuer in issuers.items()}
    clients = {f"TETHER_OIDC_{name}_CLIENT_ID": CLIENT_ID for name in issuers}
    async with running_tether(
        sqlite_url, sandbox, encryption_key, TETHER_OIDC_ISSUERS="honest,false", **variables, **clients
    ) as server:
        yield server


async def leave_for(browser: SigningIn, issuer: TokenIssuer) -> dict[str, str]:
    """What the browser is sent there with."""
    left = await browser.get(f"/sign-in/start?issuer={quote(issuer.url, safe='')}")
    assert left.headers["location"].startswith(f"{issuer.url}/authorize?")
    return dict(parse_qsl(urlsplit(left.headers["location"]).query))


def way_back(asked: dict[str, str], **brought: str) -> str:
    return f"{asked['redirect_uri']}?{urlencode(brought)}"


async def test_a_false_provider_isnt_told_the_code_of_an_honest_one(
    both: TetherServer, honest: TokenIssuer, false: TokenIssuer
) -> None:
    async with a_browser_at(both) as victims, a_browser_at(both) as mallorys:
        mallory_asked = await leave_for(mallorys, honest)
        victim_asked = await leave_for(victims, false)
        # The false one sends the victim on to the honest one, with what Mallory's browser was sent there with, but the
        # state of the victim's own way. The honest one signs the victim in, and sends the browser to where it may.
        honest.will_give(honest.sign(honest.id_claims(sub="victim", nonce=mallory_asked["nonce"])))
        end = await victims.get(way_back(mallory_asked, code="of-the-victim", state=victim_asked["state"]))
        assert "<code>wrong_issuer</code>" in end.text
        assert false.sent == []
        assert victims.secret is None

        # Whom it had told the code, it would have signed in as the victim.
        taken = await mallorys.get(way_back(mallory_asked, code="of-the-victim", state=mallory_asked["state"]))
        assert taken.status_code == 303
        [(_, form)] = honest.sent
        assert form["redirect_uri"] == [f"{both.url}/sign-in/callback/honest"]


async def test_each_provider_has_an_address_of_its_own_to_send_browsers_back_to(
    both: TetherServer, honest: TokenIssuer, false: TokenIssuer
) -> None:
    async with a_browser_at(both) as browser:
        asked = [await leave_for(browser, issuer) for issuer in (honest, false)]
        addresses = [each["redirect_uri"] for each in asked]
        assert addresses == [f"{both.url}/sign-in/callback/{name}" for name in ("honest", "false")]
        for path in ("/sign-in/callback", "/sign-in/callback/", "/sign-in/callback/nobody"):
            end = await browser.get(f"{path}?{urlencode({'code': 'c', 'state': asked[0]['state']})}")
            assert end.status_code in {400, 404}
        assert honest.sent == []
