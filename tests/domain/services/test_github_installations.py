"""An installation of a GitHub App as a credential: whose it is, its tokens, and what every refusal blames."""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from domain.credential_secrets import GitHubAppSecret
from domain.entities.health import Remedy
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.base import Identified, Revocation
from domain.services.github import GitHub, GitHubApp
from domain.services.github.installations import read_installation, read_token
from domain.services.repository_listing import RepositoryPage
from domain.services.service_fault import FaultKind, ServiceFault
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

APP_ID = "3003"
NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)


class MovableClock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="module")
async def key(sandbox: SandboxServer) -> Secret:
    await sandbox.put_github_app(APP_ID, slug="installed")
    return Secret(await sandbox.make_github_app_key(APP_ID))


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def make(http: HttpClient, sandbox: SandboxServer, clock: MovableClock) -> Callable[[GitHubApp | None], GitHub]:
    def made(app: GitHubApp | None = None) -> GitHub:
        return GitHub(
            http, sandbox.github_api_url, sandbox.github_url, clock, app=app, fresh_token_delays_seconds=(0, 0, 0)
        )

    return made


@pytest.fixture
def github(make: Callable[[GitHubApp | None], GitHub]) -> GitHub:
    return make(None)


@pytest.fixture
async def installed(sandbox: SandboxServer, key: Secret) -> GitHubAppSecret:
    """A team's own app, on an account of its own."""
    number = 1_000_000 + secrets.randbelow(1 << 40)
    await sandbox.put_installation(
        number,
        app_id=APP_ID,
        account={"id": number, "login": f"team-{number}", "name": "Team", "type": "Organization"},
        permissions={"metadata": "read", "contents": "write"},
    )
    return GitHubAppSecret(APP_ID, str(number), key)


def fault(answer: object) -> ServiceFault:
    assert isinstance(answer, ServiceFault), answer
    return answer


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> Secret:
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        protection = serialization.BestAvailableEncryption(passphrase)
    form = serialization.PrivateFormat.PKCS8
    return Secret(key.private_bytes(serialization.Encoding.PEM, form, protection).decode())


def another_key() -> Secret:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


async def issued(sandbox: SandboxServer, secret: GitHubAppSecret) -> int:
    path = f"/app/installations/{secret.installation_id}/access_tokens"
    return sum(call.path == path for call in await sandbox.calls())


async def test_it_is_the_account_that_has_installed_the_app(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    found = await github.identify(installed)

    assert isinstance(found, Identified)
    assert found.identity.account.id == installed.installation_id
    assert found.identity.account.name == f"team-{installed.installation_id}"
    assert found.identity.scopes == ("contents:write", "metadata:read")
    assert found.identity.webhook_key == f"installation:{installed.installation_id}"
    assert found.identity.expires_at is None
    assert github.missing_scopes(("repo",), found.identity.scopes) == ()


async def test_a_suspended_one_is_an_administrators_matter(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    await sandbox.put_installation(int(installed.installation_id), suspended=True)

    for answer in (await github.identify(installed), await github.bearer(installed)):
        found = fault(answer)
        assert (found.kind, found.code) == (FaultKind.ADMIN_REQUIRED, "github_suspended")
        assert found.remedy is Remedy.CONTACT_ADMIN
    await sandbox.put_installation(int(installed.installation_id), suspended=False)
    assert isinstance(await github.identify(installed), Identified)


async def test_an_uninstalled_one_is_revoked(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    assert isinstance(await github.bearer(installed), Secret)
    await sandbox.remove_installation(int(installed.installation_id))

    for answer in (
        await github.identify(installed),
        await github.repositories.page(installed, None, None),
        await github.bearer(installed),
    ):
        found = fault(answer)
        assert (found.kind, found.code) == (FaultKind.CREDENTIAL_REVOKED, "github_app_uninstalled")


async def test_a_key_that_github_refuses_is_blamed_on_whose_it_is(
    make: Callable[[GitHubApp | None], GitHub], installed: GitHubAppSecret
) -> None:
    wrong = another_key()
    theirs = fault(await make(None).identify(replace(installed, private_key=wrong)))
    ours = fault(await make(GitHubApp(APP_ID, "installed", wrong)).identify(replace(installed, private_key=None)))
    unknown_app = fault(await make(None).identify(replace(installed, app_id="99999")))

    assert (theirs.kind, theirs.code) == (FaultKind.CREDENTIAL_REFUSED, "github_app_key_refused")
    assert (ours.kind, ours.code) == (FaultKind.CLIENT_REFUSED, "github_app_key_refused")
    assert (unknown_app.kind, unknown_app.code) == (FaultKind.CREDENTIAL_REFUSED, "github_app_key_refused")


async def test_the_operators_app_needs_no_key_in_the_credential(
    make: Callable[[GitHubApp | None], GitHub], installed: GitHubAppSecret, key: Secret
) -> None:
    operators = replace(installed, private_key=None)

    assert isinstance(await make(GitHubApp(APP_ID, "installed", key)).identify(operators), Identified)
    for app in (None, GitHubApp("4004", "another", key)):
        found = fault(await make(app).identify(operators))
        assert (found.kind, found.code) == (FaultKind.CLIENT_REFUSED, "github_app_not_set_up")


@pytest.mark.parametrize(
    "malformed",
    [
        Secret(""),
        Secret("no PEM at all"),
        Secret("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
        Secret("x" * 1_000_000),
        Secret("schlüssel"),
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 - that it is refused is the test
        pem(rsa.generate_private_key(public_exponent=65537, key_size=2048), b"passphrase"),
    ],
    ids=["empty", "text", "broken", "endless", "not-ascii", "elliptic", "short", "encrypted"],
)
async def test_what_is_no_key_of_an_app_is_told_in_words_and_sent_nowhere(
    malformed: Secret,
    make: Callable[[GitHubApp | None], GitHub],
    installed: GitHubAppSecret,
    sandbox: SandboxServer,
) -> None:
    before = len(await sandbox.calls())
    theirs = fault(await make(None).identify(replace(installed, private_key=malformed)))
    ours = fault(await make(GitHubApp(APP_ID, "installed", malformed)).bearer(replace(installed, private_key=None)))

    assert (theirs.kind, theirs.code) == (FaultKind.CREDENTIAL_REFUSED, "github_app_key_malformed")
    assert "PEM" in theirs.message
    assert (ours.kind, ours.code) == (FaultKind.CLIENT_REFUSED, "github_app_key_malformed")
    assert len(await sandbox.calls()) == before


async def test_a_token_is_issued_once_and_renewed_before_its_end(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer, clock: MovableClock
) -> None:
    first = await asyncio.gather(*(github.bearer(installed) for _ in range(20)))
    assert all(token == first[0] for token in first)
    assert await issued(sandbox, installed) == 1

    clock.ahead = timedelta(minutes=54)
    assert await github.bearer(installed) == first[0]
    clock.ahead = timedelta(minutes=56)
    # The sandbox's own clock stands still: to it the app's token is from the future, as from a clock gone wrong.
    found = fault(await github.bearer(installed))
    assert (found.kind, found.code) == (FaultKind.CLIENT_REFUSED, "github_clock_wrong")
    assert await issued(sandbox, installed) == 2


async def test_one_who_no_longer_waits_does_not_end_it_for_the_others(
    github: GitHub, installed: GitHubAppSecret
) -> None:
    impatient = asyncio.create_task(github.bearer(installed))
    patient = asyncio.create_task(github.bearer(installed))
    await asyncio.sleep(0)
    impatient.cancel()

    assert isinstance(await patient, Secret)


async def test_who_has_not_the_key_gets_no_kept_token(github: GitHub, installed: GitHubAppSecret) -> None:
    assert isinstance(await github.bearer(installed), Secret)

    stranger = replace(installed, private_key=another_key())
    assert fault(await github.bearer(stranger)).code == "github_app_key_refused"
    assert fault(await github.bearer(replace(installed, private_key=None))).code == "github_app_not_set_up"


async def test_a_token_too_fresh_for_github_is_tried_again(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    await sandbox.put_installation(int(installed.installation_id), fresh_token_refusals=3)

    assert isinstance(await github.repositories.page(installed, None, None), RepositoryPage)
    assert await issued(sandbox, installed) == 1


async def test_a_token_that_stays_unknown_speaks_not_against_the_credential(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    await sandbox.put_installation(int(installed.installation_id), fresh_token_refusals=4)

    found = fault(await github.repositories.page(installed, None, None))
    assert (found.kind, found.code) == (FaultKind.SERVICE_ERROR, "github_installation_token_refused")


async def test_a_kept_token_that_was_ended_elsewhere_is_replaced(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer, clock: MovableClock
) -> None:
    token = await github.bearer(installed)
    assert isinstance(token, Secret)
    await sandbox.forget_token(token.reveal())
    clock.ahead = timedelta(seconds=40)

    assert isinstance(await github.repositories.page(installed, None, None), RepositoryPage)
    assert await github.bearer(installed) != token


async def test_forgetting_it_ends_the_kept_token_and_leaves_the_installation(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    token = await github.bearer(installed)
    assert isinstance(token, Secret)

    assert not github.revokes(installed)
    assert await github.revoke(installed) is Revocation.NOT_REVOCABLE
    assert [call.path for call in await sandbox.calls(token.reveal())] == ["/installation/token"]
    with pytest.raises(ValueError, match="404"):
        await sandbox.forget_token(token.reveal())
    assert isinstance(await github.identify(installed), Identified)


async def test_github_being_down_says_nothing_of_the_installation(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer
) -> None:
    await sandbox.set_down("github", True)
    try:
        kinds = {fault(await github.identify(installed)).kind, fault(await github.bearer(installed)).kind}
    finally:
        await sandbox.set_down("github", False)

    assert kinds == {FaultKind.SERVICE_ERROR}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"id": 7}'),
        (200, b'{"id": 8, "account": {"id": 1, "login": "acme"}}'),
        (200, b'{"id": 7, "account": {"id": "1", "login": "acme"}}'),
        (404, b"<html>Not Found</html>"),
        (401, b"<html>Sign in</html>"),
        (302, b""),
    ],
)
def test_an_answer_that_github_does_not_document_says_nothing(status: int, body: bytes) -> None:
    answer = HttpAnswer(status, {}, body, 5)
    for operators in (True, False):
        found = fault(read_installation(answer, "https://w.example", NOW, installation_id="7", operators=operators))
        assert found.kind is FaultKind.SERVICE_ERROR


@pytest.mark.parametrize(
    ("status", "message", "conclusive"),
    [
        (401, "A JSON web token could not be decoded", True),
        (401, "Bad credentials", True),
        (404, "Integration not found", True),
        (401, "Sign in to the gateway first.", False),
    ],
)
def test_a_key_is_refused_for_certain_only_in_githubs_own_words(status: int, message: str, conclusive: bool) -> None:
    answer = HttpAnswer(status, {}, json.dumps({"message": message}).encode(), 5)
    found = fault(read_installation(answer, "https://w.example", NOW, installation_id="7", operators=False))

    assert (found.kind, found.code, found.conclusive) == (
        FaultKind.CREDENTIAL_REFUSED,
        "github_app_key_refused",
        conclusive,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"token": "a b", "expires_at": "2026-11-20T11:00:00Z"}',
        b'{"token": "ok", "expires_at": "soon"}',
        b'{"token": "ok", "expires_at": "2026-11-20T11:00:00"}',
        b'{"token": 7, "expires_at": "2026-11-20T11:00:00Z"}',
    ],
)
def test_a_token_is_taken_only_whole(body: bytes) -> None:
    assert fault(read_token(HttpAnswer(201, {}, body, 5), NOW, operators=False)).kind is FaultKind.SERVICE_ERROR


async def test_neither_key_nor_tokens_are_ever_shown(
    github: GitHub, installed: GitHubAppSecret, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = replace(installed, private_key=another_key())
    with caplog.at_level("DEBUG"):
        token = await github.bearer(installed)
        answers = [
            await github.identify(installed),
            await github.identify(wrong),
            await github.repositories.page(installed, None, None),
            await github.repositories.page(wrong, None, None),
        ]

    assert isinstance(token, Secret)
    assert installed.private_key is not None
    assert wrong.private_key is not None
    shown = caplog.text + repr(answers) + repr(installed) + repr(vars(github))
    for secret in (token, installed.private_key, wrong.private_key):
        assert secret.reveal() not in shown
        assert secret.reveal().splitlines()[-2 if "\n" in secret.reveal() else 0] not in shown
