"""What every service promises, whichever it is. Adding a service is one more entry in SERVICES."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import OutboundAllow
from domain.credential_secrets import TokenSecret
from domain.entities.health import Json, Remedy
from domain.errors import InvalidInput
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn
from domain.services.base import Identified, Revocation, Service, ServiceScope
from domain.services.catalogue import ServiceCatalogue
from domain.services.generic import AccountPaths, GenericService, GenericServiceDescription
from domain.services.github import GitHub, GitHubApp
from domain.services.gitlab import GitLab
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.settings import EXPIRY_WARNING_DAYS
from domain.services.slack import Slack
from domain.services.webhooks import Delivery, Refusal
from tests.sandbox_server import SandboxServer, SandboxService

pytestmark = pytest.mark.anyio


CLIENT = OAuthClient("the-client", Secret("canary-of-the-client"))


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """A service: how to make it with a way out and its API's address, and how the sandbox plays it."""

    id: SandboxService
    make: Callable[[HttpClient, str], Service]
    default_scopes: tuple[str, ...]
    other_scope: str
    methods: tuple[str, ...] = ("TOKEN",)
    tells_scopes: bool = True
    end_precision: timedelta | None = timedelta(seconds=2)
    """How exactly it tells when a token ends; None: it doesn't."""
    calls: int = 1
    """How many it takes to identify somebody."""


def openid(http: HttpClient, api: str) -> Service:
    description = GenericServiceDescription(
        id="openid",
        name="Example ID",
        description="People of Example.",
        documentation_url="https://id.example/docs",
        authorize_url="https://id.example/authorize",
        token_url="https://id.example/token",
        identity_url=f"{api}/userinfo",
        client=CLIENT,
        scopes=(
            ServiceScope("openid", "Know who it is.", required=True),
            ServiceScope("email", "Read the e-mail address."),
        ),
        account=AccountPaths("sub", "name", "profile", "picture"),
    )
    return GenericService(http, description, now)


SERVICES = [
    Case(
        "github",
        lambda http, api: GitHub(
            http,
            api,
            "https://github.example",
            now,
            client=CLIENT,
            app=GitHubApp("1", "tether", Secret("not-a-key")),
            webhook_secrets=[CLIENT.client_secret],
        ),
        ("repo",),
        "read:org",
        methods=("OAUTH2", "GITHUB_APP", "TOKEN"),
    ),
    Case(
        "slack",
        lambda http, api: Slack(
            http,
            api,
            "https://slack.example",
            now,
            client=CLIENT,
            signing_secrets=[CLIENT.client_secret],
        ),
        ("chat:write", "channels:read"),
        "team:read",
        methods=("OAUTH2", "TOKEN"),
    ),
    Case(
        "gitlab",
        lambda http, api: GitLab(
            http,
            f"{api}/v4",
            "https://gitlab.example",
            now,
            client=CLIENT,
            webhook_secrets=[CLIENT.client_secret],
        ),
        ("read_api",),
        "write_repository",
        methods=("OAUTH2", "TOKEN"),
        end_precision=timedelta(days=1),
        calls=2,
    ),
    Case("openid", openid, ("openid",), "email", ("OAUTH2", "TOKEN"), tells_scopes=False, end_precision=None),
]

BEHAVIOURS = {
    "revoked": {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED},
    "expired": {FaultKind.CREDENTIAL_REFUSED},
    "missing_scope": {FaultKind.SCOPE_MISSING},
    "rate_limited": {FaultKind.RATE_LIMITED},
    "server_error": {FaultKind.SERVICE_ERROR},
    "garbage_html": {FaultKind.SERVICE_ERROR},
    "garbage_json": {FaultKind.SERVICE_ERROR},
    "wrong_type": {FaultKind.SERVICE_ERROR},
    "empty_object": {FaultKind.SERVICE_ERROR},
    "truncated": {FaultKind.SERVICE_ERROR},
    "huge_body": {FaultKind.SERVICE_ERROR},
    "slow": {FaultKind.UNREACHABLE},
}


@pytest.fixture(params=SERVICES, ids=lambda case: case.id)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture
def service(case: Case, http: HttpClient, sandbox: SandboxServer) -> Service:
    return case.make(http, f"{sandbox.url}/{case.id}/api")


@pytest.fixture
def token() -> Secret:
    """A new one for each test, so that no test sees another's behaviour or quota."""
    return Secret(f"canary-{secrets.token_hex(12)}")


async def test_it_describes_itself(service: Service, case: Case) -> None:
    assert service.id == case.id
    assert service.name
    assert service.description.endswith(".")
    assert service.documentation_url.startswith("https://")
    assert tuple(method.value for method in service.authorization_methods) == case.methods
    names = [scope.name for scope in service.scopes]
    assert len(set(names)) == len(names)
    assert all(scope.description.endswith(".") for scope in service.scopes)


async def test_a_good_token_is_identified(service: Service, case: Case, token: Secret, sandbox: SandboxServer) -> None:
    ends = now().replace(microsecond=0) + timedelta(days=20)
    await sandbox.put_token(token.reveal(), service=case.id, expires_at=ends.isoformat())

    answer = await service.identify(TokenSecret(token))

    assert isinstance(answer, Identified)
    assert answer.identity.account.id
    assert answer.identity.account.name
    assert answer.identity.account.url is not None
    assert answer.identity.account.url.startswith(sandbox.url)
    assert (answer.identity.scopes is not None) is case.tells_scopes
    if answer.identity.scopes is not None:
        assert set(case.default_scopes) <= set(answer.identity.scopes)
    assert (answer.identity.expires_at is not None) is (case.end_precision is not None)
    if answer.identity.expires_at is not None and case.end_precision is not None:
        assert abs(answer.identity.expires_at - ends) <= case.end_precision
    assert answer.latency_ms >= 0
    assert len(await sandbox.calls(token.reveal())) == case.calls


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_each_misbehaviour_has_its_kind_and_shows_no_secret(
    behaviour: str,
    service: Service,
    case: Case,
    token: Secret,
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await sandbox.put_token(
        token.reveal(), service=case.id, behaviour=behaviour, body_bytes=8 * 1024 * 1024, retry_after_seconds=42
    )

    with caplog.at_level("DEBUG", logger="domain"):
        answer = await service.identify(TokenSecret(token))

    assert isinstance(answer, ServiceFault), answer
    assert answer.kind in BEHAVIOURS[behaviour]
    assert re.fullmatch(rf"{case.id}_[a-z_]+", answer.code)
    assert answer.message.endswith(".")
    assert answer.remedy is not Remedy.NONE
    assert answer.latency_ms is not None
    if answer.kind is FaultKind.RATE_LIMITED:
        assert answer.retry_after_seconds is not None
        assert answer.rate_limit is not None
        assert answer.rate_limit.blocked_until is not None
        assert answer.rate_limit.blocked_until > now()
    else:
        assert answer.retry_after_seconds is None
    json.dumps(answer.evidence)
    assert token.reveal() not in repr(answer)
    assert token.reveal() not in caplog.text


async def test_an_unknown_token_is_refused(service: Service, token: Secret) -> None:
    answer = await service.identify(TokenSecret(token))

    assert isinstance(answer, ServiceFault)
    assert answer.kind is FaultKind.CREDENTIAL_REFUSED
    assert answer.remedy is Remedy.RECONNECT


async def test_a_service_that_is_down_says_nothing_of_the_token(
    service: Service, case: Case, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.set_down(case.id, True)
    try:
        answer = await service.identify(TokenSecret(token))
    finally:
        await sandbox.set_down(case.id, False)

    assert isinstance(answer, ServiceFault)
    assert (answer.kind, answer.remedy) == (FaultKind.SERVICE_ERROR, Remedy.WAIT)


async def test_nobody_at_its_address_is_unreachable(case: Case, http: HttpClient, token: Secret) -> None:
    answer = await case.make(http, "http://127.0.0.1:1").identify(TokenSecret(token))

    assert isinstance(answer, ServiceFault)
    assert (answer.kind, answer.remedy) == (FaultKind.UNREACHABLE, Remedy.WAIT)


async def test_a_private_address_is_not_called(case: Case, token: Secret) -> None:
    http = HttpClient(allow=OutboundAllow())
    answer = await case.make(http, "https://169.254.169.254").identify(TokenSecret(token))
    await http.aclose()

    assert isinstance(answer, ServiceFault)
    assert (answer.kind, answer.remedy) == (FaultKind.NOT_ALLOWED, Remedy.CONTACT_ADMIN)
    assert "TETHER_OUTBOUND_ALLOW" in answer.message


@pytest.mark.parametrize(
    "text", ["", " ", "canary token", "canary\n", "canary\r\nX-Injected: 1", "canary\0", "cänary", "c" * 4097]
)
async def test_a_token_that_cannot_be_one_is_refused_without_a_call(
    text: str, service: Service, sandbox: SandboxServer
) -> None:
    before = len(await sandbox.calls())

    answer = await service.identify(TokenSecret(Secret(text)))

    assert isinstance(answer, ServiceFault)
    assert (answer.kind, answer.code) == (FaultKind.CREDENTIAL_REFUSED, "malformed_token")
    assert answer.latency_ms is None
    assert "nary" not in repr(answer)
    assert len(await sandbox.calls()) == before


async def test_its_scopes_are_as_the_settings_say(service: Service, case: Case) -> None:
    assert service.required_scopes({}) == case.default_scopes
    assert service.required_scopes({"requiredScopes": [case.other_scope]}) == (case.other_scope,)
    assert service.required_scopes({"requiredScopes": []}) == ()
    assert service.missing_scopes(case.default_scopes, case.default_scopes) == ()
    assert service.missing_scopes((*case.default_scopes, case.other_scope), ()) == (
        *case.default_scopes,
        case.other_scope,
    )


async def test_its_schema_and_its_check_know_the_same_keys(service: Service) -> None:
    schema = service.settings_schema
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["requiredScopes", "expiryWarningDays"]
    assert schema["additionalProperties"] is False
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for key, described in properties.items():
        assert isinstance(described, dict)
        assert described["description"]
        examples = described["examples"]
        assert isinstance(examples, list)
        for example in examples:
            assert list(service.settings_problems({key: example})) == []
    json.dumps(schema)


WRONG_SETTINGS: list[tuple[Mapping[str, Json], tuple[str, ...], str]] = [
    ({"requiredScopes": "repo"}, ("requiredScopes",), "requiredScopes is a list of scopes, such as ["),
    ({"requiredScopes": None}, ("requiredScopes",), "requiredScopes is a list of scopes, such as ["),
    ({"requiredScopes": [1]}, ("requiredScopes", "0"), "A scope is a text, such as"),
    ({"requiredScopes": ["fly"]}, ("requiredScopes", "0"), "has no scope 'fly'. It knows: "),
    ({"expiryWarningDays": 0}, ("expiryWarningDays",), "expiryWarningDays is a whole number from 1 to 90."),
    ({"expiryWarningDays": 91}, ("expiryWarningDays",), "expiryWarningDays is a whole number from 1 to 90."),
    ({"expiryWarningDays": 1.5}, ("expiryWarningDays",), "expiryWarningDays is a whole number from 1 to 90."),
    ({"expiryWarningDays": True}, ("expiryWarningDays",), "expiryWarningDays is a whole number from 1 to 90."),
    ({"expiryWarningDays": "7"}, ("expiryWarningDays",), "expiryWarningDays is a whole number from 1 to 90."),
    ({"expiryWarningDays": None}, ("expiryWarningDays",), "expiryWarningDays is a whole number from 1 to 90."),
]


@pytest.mark.parametrize(("settings", "path", "message"), WRONG_SETTINGS)
async def test_wrong_settings_are_told_with_the_path_to_them(
    settings: Mapping[str, Json], path: tuple[str, ...], message: str, service: Service, case: Case
) -> None:
    (problem,) = service.settings_problems(settings)

    assert problem.path == path
    assert message in problem.message
    assert service.required_scopes(settings) == case.default_scopes
    assert EXPIRY_WARNING_DAYS.read(settings) == 7


async def test_a_setting_it_does_not_know_is_told_with_those_it_knows(service: Service) -> None:
    (problem,) = service.settings_problems({"foo": 1})

    assert problem.path == ("foo",)
    assert problem.message == f"{service.name} has no setting 'foo'. It knows: requiredScopes, expiryWarningDays."


async def test_all_problems_are_told_at_once(service: Service, case: Case) -> None:
    settings: dict[str, Json] = {
        "requiredScopes": [case.other_scope, case.other_scope],
        "expiryWarningDays": -1,
        "x": 0,
    }

    assert [problem.path for problem in service.settings_problems(settings)] == [
        ("x",),
        ("requiredScopes", "1"),
        ("expiryWarningDays",),
    ]


OFFLINE = [case.make(http, "https://service.example") for http in [HttpClient()] for case in SERVICES]


def json_bytes(value: Json) -> bytes:
    return json.dumps(value).encode()


any_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["requiredScopes", "expiryWarningDays"]) | st.text(), any_json), st.data())
def test_any_json_is_checked_and_read_without_an_exception(settings: dict[str, Json], data: st.DataObject) -> None:
    service = data.draw(st.sampled_from(OFFLINE))

    for problem in service.settings_problems(settings):
        assert problem.path[0] in settings
        assert problem.message.endswith((".", "]."))
    known = {scope.name for scope in service.scopes}
    assert set(service.required_scopes(settings)) <= known
    assert 1 <= EXPIRY_WARNING_DAYS.read(settings) <= 90


async def test_a_browser_is_sent_to_its_page_with_the_state_and_without_a_secret(service: Service) -> None:
    assert service.authorization is not None
    assert set(service.authorization.methods) <= set(service.authorization_methods)
    challenge = "c" * 43 if service.authorization.uses_pkce else None
    for method in service.authorization.methods:
        request = AuthorizationRequest(method, Secret("the-state"), challenge, "https://t.example/back", ["one", "two"])
        address = urlsplit(service.authorization.address(request))
        query = dict(parse_qsl(address.query))
        assert address.scheme == "https"
        assert query["state"] == "the-state"
        assert "canary" not in address.geturl()
        if method is AuthorizationMethod.OAUTH2:
            assert (query["client_id"], query["redirect_uri"]) == ("the-client", "https://t.example/back")
            assert query.get("code_challenge") == challenge
            assert "one" in query["scope"]


async def test_coming_back_without_a_code_is_a_fault(service: Service) -> None:
    assert service.authorization is not None
    for method in service.authorization.methods:
        returned = AuthorizationReturn(method, {}, Secret("v" * 43), "https://t.example/back")
        assert isinstance(await service.authorization.exchange(returned), ServiceFault)


async def test_a_token_that_a_person_has_made_is_left_to_the_person_or_forgotten(
    service: Service, case: Case, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service=case.id)

    revokes = service.revokes(TokenSecret(token))
    answer = await service.revoke(TokenSecret(token))

    assert revokes is (answer is Revocation.REVOKED)
    forgotten = isinstance(await service.identify(TokenSecret(token)), ServiceFault)
    assert answer is (Revocation.REVOKED if forgotten else Revocation.NOT_REVOCABLE)


HEARING = [(service, service.webhooks) for service in OFFLINE if service.webhooks is not None]
header_names = st.sampled_from(
    ["x-hub-signature-256", "x-github-event", "x-github-delivery", "x-slack-signature", "x-slack-request-timestamp"]
) | st.sampled_from(["x-gitlab-token", "x-gitlab-event", "x-gitlab-event-uuid", "webhook-signature", "webhook-id"])


def test_those_that_send_webhooks_are_known() -> None:
    assert [service.id for service, _ in HEARING] == ["github", "slack", "gitlab"]


@given(st.dictionaries(header_names, st.text()), st.binary(max_size=40), st.data())
def test_nothing_is_heard_that_no_secret_has_signed(
    headers: Mapping[str, str], body: bytes, data: st.DataObject
) -> None:
    _, webhooks = data.draw(st.sampled_from(HEARING))

    assert isinstance(webhooks.receive(headers, body, now()), Refusal)


@given(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.binary(max_size=40) | any_json.map(json_bytes), st.data())
def test_whatever_a_delivery_holds_is_read_without_an_exception(name: str, body: bytes, data: st.DataObject) -> None:
    service, webhooks = data.draw(st.sampled_from(HEARING))

    message = webhooks.read(Delivery("1", name, body))

    assert message.event["service"] == service.id
    json.dumps(message.event, allow_nan=False).encode()


async def test_the_catalogue_has_them_in_a_stable_order(http: HttpClient) -> None:
    services = [case.make(http, "https://service.example") for case in reversed(SERVICES)]
    catalogue = ServiceCatalogue(services)

    assert [service.id for service in catalogue] == ["github", "gitlab", "openid", "slack"]
    assert catalogue.get("openid") is services[0]
    assert catalogue.find("x") is None
    with pytest.raises(
        InvalidInput, match=r"^Tether knows no service 'x'\. It knows: github, gitlab, openid, slack\.$"
    ):
        catalogue.get("x")
    with pytest.raises(ValueError, match="Two services are called 'openid'"):
        ServiceCatalogue([services[0], services[0]])
