"""What every command promises, whichever service it is of. A service with commands is an entry in command_cases.py."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.credential_secrets import TokenSecret
from domain.entities.credential import CredentialKind
from domain.entities.health import Json, Remedy
from domain.entities.user import Role
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.command_set import INVALID_ARGUMENTS
from domain.services.commands import Command, CommandResult
from domain.services.field_lists import TextList, TextMap
from domain.services.fields import Choice, Flag, Text, WholeNumber
from domain.services.form import Field
from domain.services.service_fault import FaultKind, ServiceFault
from tests.domain.services.command_cases import CASES, Case, Place, nobody_at, place_of, with_commands
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


OFFLINE: Final = with_commands()
COMMANDS: Final = [
    (case, command) for case, service in zip(CASES, OFFLINE, strict=True) for command in service.commands or ()
]
IDS: Final = [command.id for _, command in COMMANDS]
LARGEST_RESULT_BYTES: Final = 1024 * 1024
BEHAVIOURS: Final[Mapping[str, set[FaultKind]]] = {
    "revoked": {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED},
    "expired": {FaultKind.CREDENTIAL_REFUSED},
    "missing_scope": {FaultKind.SCOPE_MISSING},
    "rate_limited": {FaultKind.RATE_LIMITED},
    "server_error": {FaultKind.SERVICE_ERROR},
    "garbage_html": {FaultKind.SERVICE_ERROR},
    "garbage_json": {FaultKind.SERVICE_ERROR},
    "wrong_type": {FaultKind.SERVICE_ERROR, FaultKind.REQUEST_REFUSED},
    "truncated": {FaultKind.SERVICE_ERROR},
}


@pytest.fixture(params=COMMANDS, ids=IDS)
def both(request: pytest.FixtureRequest) -> tuple[Case, Command]:
    chosen: tuple[Case, Command] = request.param
    return chosen


@pytest.fixture
def command(both: tuple[Case, Command]) -> Command:
    return both[1]


@pytest.fixture
async def place(both: tuple[Case, Command], http: HttpClient, sandbox: SandboxServer) -> Place:
    return await place_of(both[0], http, sandbox)


def test_each_id_is_one_commands() -> None:
    assert len(set(IDS)) == len(IDS)
    for service in OFFLINE:
        assert service.commands is not None
        ids = [command.id for command in service.commands]
        assert ids == sorted(ids)
        assert [service.commands.find(each) for each in ids] == list(service.commands)
        assert service.commands.find(f"{service.id}.fly") is None


def test_it_describes_itself(both: tuple[Case, Command]) -> None:
    case, command = both
    service = next(each for each in OFFLINE if each.id == case.id)
    assert re.fullmatch(rf"{case.id}\.[a-z]+(_[a-z]+)*", command.id)
    assert command.service == case.id
    assert re.fullmatch(r"[A-Z][a-z ]+[a-z]", command.name)
    assert command.description.endswith(".")
    assert command.documentation_url.startswith("https://")
    assert set(command.required_scopes) <= {scope.name for scope in service.scopes}
    assert all(re.fullmatch(r"[a-z_]+:(read|write|admin)", each) for each in command.required_permissions)
    assert command.event_types
    assert list(command.event_types) == sorted(set(command.event_types))
    assert command.examples
    for field in (*command.takes, *command.gives):
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", field.key)
        assert field.description.endswith(".")


def test_nobody_who_only_looks_changes_anything(command: Command) -> None:
    assert not (command.mutating and Role.VIEWER.covers(command.least_role))
    assert command.mutating or command.repeatable


def test_its_target_is_an_argument_that_it_needs(command: Command) -> None:
    if command.target is not None:
        assert command.target.argument in {field.key for field in command.takes if field.required}


def test_its_schemas_are_json_schemas(command: Command) -> None:
    for form in (command.arguments, command.result):
        schema = form.schema()
        jsonschema_rs.meta.validate(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        json.dumps(schema)


def test_its_examples_are_good(command: Command) -> None:
    takes = jsonschema_rs.validator_for(command.arguments.schema())
    for example in command.examples:
        assert list(command.arguments.problems(example)) == []
        assert takes.is_valid(example)
    for field in command.takes:
        for value in _examples_in(field.schema()):
            assert list(field.problems(value)) == []


def _examples_in(schema: Mapping[str, Json]) -> Iterator[Json]:
    examples = schema.get("examples")
    yield from examples if isinstance(examples, list) else ()
    if "default" in schema:
        yield schema["default"]


async def test_each_example_can_be_done(command: Command, place: Place) -> None:
    gives = jsonschema_rs.validator_for(command.result.schema())
    for example in command.examples:
        before = await place.count()

        done = await place.commands.run(command, place.secret, place.here(command, example))

        assert isinstance(done, CommandResult), done
        assert list(command.result.problems(done.data)) == []
        assert gives.is_valid(dict(done.data))
        assert len(json.dumps(done.data)) <= LARGEST_RESULT_BYTES
        assert done.latency_ms >= 0
        assert done.url is None or done.url.startswith(place.sandbox.url)
        assert place.secret.token.reveal() not in json.dumps(done.data)
        assert await place.count() == before + command.mutating


async def test_each_misbehaviour_has_its_kind_and_shows_no_secret(
    command: Command, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="domain")
    for behaviour, kinds in BEHAVIOURS.items():
        await place.behave(behaviour, retry_after_seconds=42)

        fault = await place.commands.run(command, place.secret, place.example_of(command))

        assert isinstance(fault, ServiceFault), (behaviour, fault)
        assert fault.kind in kinds, (behaviour, fault)
        assert re.fullmatch(rf"{command.service}_[a-z_]+", fault.code)
        assert fault.message.endswith(".")
        assert fault.latency_ms is not None
        assert (fault.retry_after_seconds is None) is (fault.kind is not FaultKind.RATE_LIMITED)
        assert fault.may_have_happened is (command.mutating and fault.kind is FaultKind.SERVICE_ERROR), behaviour
        json.dumps(fault.evidence)
        assert place.secret.token.reveal() not in f"{fault!r}{caplog.text}"


@pytest.mark.parametrize("behaviour", ["done_then_cut", "done_then_error"])
async def test_whether_it_was_done_is_unknown_where_the_answer_is_lost(
    behaviour: str, command: Command, place: Place
) -> None:
    await place.behave(behaviour)
    before = await place.count()

    fault = await place.commands.run(command, place.secret, place.example_of(command))

    assert isinstance(fault, ServiceFault)
    assert fault.kind is FaultKind.SERVICE_ERROR
    assert fault.may_have_happened is command.mutating
    assert await place.count() == before + command.mutating


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_whether_it_was_done_is_unknown_where_the_answer_is_late(
    case: Case, http: HttpClient, sandbox: SandboxServer
) -> None:
    place = await place_of(case, http, sandbox)
    await place.behave("done_then_slow", delay_seconds=1.5)
    command = next(each for each in place.commands if each.mutating and not each.repeatable)

    fault = await place.commands.run(command, place.secret, place.example_of(command))

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.may_have_happened) == (FaultKind.UNREACHABLE, True)


async def test_nothing_was_done_where_nobody_could_be_reached(both: tuple[Case, Command], http: HttpClient) -> None:
    case, command = both
    nowhere = case.make(http, nobody_at("http://127.0.0.1:1"))
    assert nowhere.commands is not None

    fault = await nowhere.commands.run(command, TokenSecret(Secret("canary")), command.examples[0])

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.remedy) == (FaultKind.UNREACHABLE, Remedy.WAIT)
    assert not fault.may_have_happened


async def test_what_can_not_be_a_token_calls_nobody(command: Command, place: Place) -> None:
    before = len(await place.sandbox.calls())

    fault = await place.commands.run(command, TokenSecret(Secret("canary\ntoken")), place.example_of(command))

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code, fault.may_have_happened) == (
        FaultKind.CREDENTIAL_REFUSED,
        "malformed_token",
        False,
    )
    assert len(await place.sandbox.calls()) == before


async def test_arguments_with_a_problem_call_nobody(command: Command, place: Place) -> None:
    required = [field.key for field in command.takes if field.required]
    for key, arguments in [(each, _without(command.examples[0], each)) for each in required] + [
        ("unheardOf", {**command.examples[0], "unheardOf": 1})
    ]:
        fault = await place.commands.run(command, place.secret, arguments)

        assert isinstance(fault, ServiceFault)
        assert (fault.kind, fault.code, fault.remedy) == (FaultKind.REQUEST_REFUSED, INVALID_ARGUMENTS, Remedy.NONE)
        assert key in fault.message
        assert fault.argument == key
        assert fault.latency_ms is None
        assert not fault.may_have_happened
    assert await place.sandbox.calls(place.secret.token.reveal()) == []


any_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(data=st.data())
def test_whatever_is_given_is_checked_without_an_exception(data: st.DataObject) -> None:
    _, command = data.draw(st.sampled_from(COMMANDS))
    keys = st.sampled_from([field.key for field in command.takes]) | st.text()
    given_value: Json = data.draw(any_json | st.dictionaries(keys, any_json))

    for problem in command.arguments.problems(given_value):
        assert problem.message
    if isinstance(given_value, dict) and not any(command.arguments.problems(given_value)):
        assert jsonschema_rs.validator_for(command.arguments.schema()).is_valid(given_value)


PATHS: Final = {
    "github.comment": "/repos/{target}/issues/[0-9]+/comments",
    "github.create_issue": "/repos/{target}/issues",
    "github.create_pull_request": "/repos/{target}/pulls",
    "github.dispatch_workflow": "/repos/{target}/actions/workflows/[^/]+/dispatches",
    "github.list_repositories": "/user/repos",
    "github.read_file": r"/repos/{target}/contents/[^\n]+",
    "gitlab.comment": "/projects/{target}/(issues|merge_requests)/[0-9]+/notes",
    "gitlab.create_issue": "/projects/{target}/issues",
    "gitlab.create_merge_request": "/projects/{target}/merge_requests",
    "gitlab.list_projects": "/projects",
    "gitlab.read_file": r"/projects/{target}/repository/files/[^\n]+",
    "gitlab.run_pipeline": "/projects/{target}/pipeline",
    "slack.add_reaction": "/reactions.add",
    "slack.join_channel": "/conversations.join",
    "slack.list_channels": "/conversations.list",
    "slack.post_message": "/chat.postMessage",
    "slack.reply_in_thread": "/chat.postMessage",
}
"""Where each command's calls go, as the sandbox sees it with nothing encoded any more."""


def good_arguments(command: Command) -> st.SearchStrategy[dict[str, Json]]:
    required = {field.key: _good(field) for field in command.takes if field.required}
    optional = {field.key: _good(field) for field in command.takes if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


def _good(field: Field) -> st.SearchStrategy[Json]:
    match field:
        case Text():
            return _texts(field)
        case WholeNumber():
            return st.integers(field.minimum, field.maximum) | st.just(float(field.minimum))
        case Flag():
            return st.booleans()
        case Choice():
            return st.sampled_from(field.options)
        case TextList():
            return st.lists(_good(field.item), max_size=3, unique=True)
        case TextMap():
            return st.dictionaries(_texts(field.name), _good(field.value), max_size=3)
        case _:
            raise AssertionError(f"nobody takes a {type(field).__name__}")


def _texts(field: Text) -> st.SearchStrategy[str]:
    texts = st.text(max_size=40) if field.pattern is None else st.from_regex(field.pattern, fullmatch=True)
    return texts.filter(lambda value: not any(field.problems(value)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.sampled_from(COMMANDS).flatmap(lambda both: st.tuples(st.just(both), good_arguments(both[1]))))
async def test_what_is_good_is_good_for_the_schema_and_stays_in_its_place(
    chosen: tuple[tuple[Case, Command], dict[str, Json]], http: HttpClient, sandbox: SandboxServer
) -> None:
    """Whatever goes through the check: the call goes where the command's calls go, and none of it raises."""
    (case, command), wanted = chosen
    place = await place_of(case, http, sandbox)
    arguments = place.here(command, wanted)
    assert list(command.arguments.problems(arguments)) == []
    assert jsonschema_rs.validator_for(command.arguments.schema()).is_valid(arguments)

    answer = await place.commands.run(command, place.secret, arguments)

    if isinstance(answer, ServiceFault):
        assert answer.kind is FaultKind.REQUEST_REFUSED, answer
        assert not answer.may_have_happened
    calls = await sandbox.calls(place.secret.token.reveal())
    assert calls
    for call in calls:
        assert re.fullmatch(PATHS[command.id].format(target=re.escape(place.case.target(place.name))), call.path), call


def _without(arguments: Mapping[str, Json], key: str) -> dict[str, Json]:
    return {each: value for each, value in arguments.items() if each != key}


@given(data=st.data())
def test_what_an_event_fills_is_good(data: st.DataObject) -> None:
    case, command = data.draw(st.sampled_from(COMMANDS))
    parts = st.sampled_from(["action", "actor", "subject", "text", "url", "repository", "channel", "thread"])
    event = {
        "service": data.draw(st.sampled_from([each.id for each in CASES])),
        "type": data.draw(st.sampled_from([*command.event_types, "other"])),
        **data.draw(st.dictionaries(parts, st.text() | st.sampled_from(["#12", "!3", "acme/api", "main"]))),
    }
    commands = OFFLINE[CASES.index(case)].commands
    assert commands is not None

    filled = commands.arguments_from(command, event)

    for field in command.takes:
        assert field.key not in filled or not any(field.problems(filled[field.key]))
    assert filled.keys() <= {field.key for field in command.takes}


def test_what_a_credential_has_to_be_allowed_is_told_with_all_that_gives_it(both: tuple[Case, Command]) -> None:
    case, command = both
    service = OFFLINE[CASES.index(case)]
    assert service.commands is not None
    for kind in (CredentialKind.TOKEN, CredentialKind.OAUTH2):
        needed = service.commands.needed_grants(command, kind)
        assert [each.name for each in needed] == list(command.required_scopes)
        for grant in needed:
            for scope in service.scopes:
                assert (scope.name in grant.granted_by) is (service.missing_scopes([grant.name], [scope.name]) == ())
    permitted = service.commands.needed_grants(command, CredentialKind.GITHUB_APP)
    assert all(set(command.required_permissions) <= grant.granted_by for grant in permitted)
    assert bool(permitted) is bool(command.required_permissions)
