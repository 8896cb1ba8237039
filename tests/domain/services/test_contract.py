"""What every service promises, whichever it is. Adding a service is one more entry in SERVICES."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import OutboundAllow
from domain.entities.health import Json, Remedy
from domain.errors import InvalidInput
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.base import FaultKind, Identified, Service, ServiceFault
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.settings import EXPIRY_WARNING_DAYS
from domain.services.slack import Slack
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """A service: how to make it with a way out and its API's address, and how the sandbox plays it."""

    id: Literal["github", "slack"]
    make: Callable[[HttpClient, str], Service]
    default_scopes: tuple[str, ...]
    other_scope: str


SERVICES = [
    Case("github", lambda http, api: GitHub(http, api, "https://github.example", now), ("repo",), "read:org"),
    Case(
        "slack",
        lambda http, api: Slack(http, api, "https://slack.example", now),
        ("chat:write", "channels:read"),
        "team:read",
    ),
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
    assert [method.value for method in service.authorization_methods] == ["TOKEN"]
    names = [scope.name for scope in service.scopes]
    assert len(set(names)) == len(names)
    assert all(scope.description.endswith(".") for scope in service.scopes)


async def test_a_good_token_is_identified(service: Service, case: Case, token: Secret, sandbox: SandboxServer) -> None:
    ends = now().replace(microsecond=0) + timedelta(days=20)
    await sandbox.put_token(token.reveal(), service=case.id, expires_at=ends.isoformat())

    answer = await service.identify(token)

    assert isinstance(answer, Identified)
    assert answer.identity.account.id
    assert answer.identity.account.name
    assert answer.identity.account.url is not None
    assert answer.identity.account.url.startswith(sandbox.url)
    assert answer.identity.scopes is not None
    assert set(case.default_scopes) <= set(answer.identity.scopes)
    assert answer.identity.expires_at is not None
    assert abs(answer.identity.expires_at - ends) <= timedelta(seconds=2)
    assert answer.latency_ms >= 0
    assert len(await sandbox.calls(token.reveal())) == 1


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
        answer = await service.identify(token)

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
    answer = await service.identify(token)

    assert isinstance(answer, ServiceFault)
    assert answer.kind is FaultKind.CREDENTIAL_REFUSED
    assert answer.remedy is Remedy.RECONNECT


async def test_a_service_that_is_down_says_nothing_of_the_token(
    service: Service, case: Case, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.set_down(case.id, True)
    try:
        answer = await service.identify(token)
    finally:
        await sandbox.set_down(case.id, False)

    assert isinstance(answer, ServiceFault)
    assert (answer.kind, answer.remedy) == (FaultKind.SERVICE_ERROR, Remedy.WAIT)


async def test_nobody_at_its_address_is_unreachable(case: Case, http: HttpClient, token: Secret) -> None:
    answer = await case.make(http, "http://127.0.0.1:1").identify(token)

    assert isinstance(answer, ServiceFault)
    assert (answer.kind, answer.remedy) == (FaultKind.UNREACHABLE, Remedy.WAIT)


async def test_a_private_address_is_not_called(case: Case, token: Secret) -> None:
    http = HttpClient(allow=OutboundAllow())
    answer = await case.make(http, "https://169.254.169.254").identify(token)
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

    answer = await service.identify(Secret(text))

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


async def test_the_catalogue_has_them_in_a_stable_order(http: HttpClient) -> None:
    services = [case.make(http, "https://service.example") for case in reversed(SERVICES)]
    catalogue = ServiceCatalogue(services)

    assert [service.id for service in catalogue] == ["github", "slack"]
    assert catalogue.get("slack") is services[0]
    assert catalogue.find("x") is None
    with pytest.raises(InvalidInput, match=r"^Tether knows no service 'x'\. It knows: github, slack\.$"):
        catalogue.get("x")
    with pytest.raises(ValueError, match="Two services are called 'slack'"):
        ServiceCatalogue([services[0], services[0]])
