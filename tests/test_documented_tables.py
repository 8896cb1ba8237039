"""What the documentation repeats of the code is what the code says: its tables, its diagram, its commands."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain import command_failures, health, runner, service_failures
from domain.command_availability import ReasonCode
from domain.command_selector import Criterion
from domain.entities import command_run
from domain.entities.command_run import CommandRunStatus
from domain.entities.connection_status import TRANSITIONS, Cause
from domain.entities.health import HealthStatus, ProbeOutcome, Verdict
from domain.entities.user import LEAST_ROLE
from domain.flow_failure import FailureCode
from domain.health_probes import PROBES
from domain.http import HttpFaultKind
from domain.identity_providers.bearer_tokens import ACCEPTED, UNAVAILABLE
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.refusal import Refusal
from domain.sign_in_failure import SignInFailureCode
from gql import __main__ as command_line
from gql import errors
from gql.browser_settings import BROWSER_VARIABLES
from gql.http.cors import ALLOWED, EXPOSED
from gql.http.graphql_answer import FAILURES
from gql.http.own_pages import CSRF_REFUSED
from gql.identity_settings import ISSUER_ENDINGS, ISSUERS, variable
from gql.limit_settings import LIMIT_VARIABLES, Limits, settings_of_limits
from gql.metrics import BREAKER_STATES, Metrics
from gql.persisted_queries import OUTCOMES
from gql.scraped_state import SCRAPED
from gql.service_settings import SERVICE_VARIABLES
from gql.settings import KNOWN, Settings, SettingsError
from gql.user_errors import UserErrorCode
from persistence.documents import series_buckets
from persistence.statement_watch import KINDS
from persistence.tables import metadata
from tests.documented_examples import ROOT
from tests.domain.services.command_cases import with_commands


def test_the_state_diagram_is_the_table_of_transitions() -> None:
    names = {Cause.MEMBER: "member", Cause.CHECK: "check", Cause.RECONNECT: "new credential", Cause.SERVICE: "service"}
    drawn = re.findall(r"^ +(\w+) --> (\w+): (.+)$", _text("docs/concepts.md"), re.MULTILINE)
    assert {(before, after, causes) for before, after, causes in drawn} == {
        (before.value, after.value, ", ".join(names[each] for each in Cause if each in causes))
        for (before, after), causes in TRANSITIONS.items()
    }


def test_the_table_of_roles_is_least_role() -> None:
    rows = _table("docs/concepts.md", "Action")
    assert {row[0]: row[2] for row in rows} == {action.value: role.value for action, role in LEAST_ROLE.items()}


def test_the_tables_of_probes_health_and_verdicts_are_the_codes() -> None:
    assert [row[0] for row in _table("docs/concepts.md", "Probe")] == [probe.name for probe in PROBES]
    assert {ProbeOutcome(row[0]): HealthStatus(row[1]) for row in _table("docs/concepts.md", "Worst outcome")} == (
        health._STATUS
    )
    assert [row[0] for row in _table("docs/concepts.md", "Verdict")] == list(Verdict)


def test_the_tables_of_reasons_and_criteria_are_the_codes() -> None:
    assert [row[0] for row in _table("docs/choosing-commands.md", "Reason")] == list(ReasonCode)
    assert [row[0] for row in _table("docs/choosing-commands.md", "Criterion")] == list(Criterion)


def test_the_tables_of_errors_have_every_code() -> None:
    user_errors, operation_errors = _tables("docs/concepts.md", "Code")
    assert [row[0] for row in user_errors] == list(UserErrorCode)
    own = {errors.PARSE_FAILED, errors.VALIDATION_FAILED, errors.BAD_USER_INPUT, errors.INTERNAL, CSRF_REFUSED}
    own.add(errors.RATE_LIMITED)
    codes = [row[0] for row in operation_errors]
    assert sorted(codes) == sorted(own | {error.code for error in errors._PUBLIC})


def test_the_statuses_of_errors_are_the_codes() -> None:
    sentence = _text("docs/concepts.md").partition("\nOver HTTP an answer")[2].partition("every other")[0]
    documented = {
        code: int(status)
        for names, status in re.findall(r"((?:`[A-Z_]+`(?:\sand\s)?)+)\s(\d{3})", sentence)
        for code in re.findall(r"[A-Z_]+", names)
    }
    refused = {CSRF_REFUSED: 403}  # before it is an operation
    assert documented == {code: failure.status for code, failure in FAILURES.items()} | refused


def test_the_table_of_runs_statuses_has_each_with_its_steps() -> None:
    rows = {status: follows for status, _, follows in _table("docs/commands.md", "Status")}
    assert list(rows) == list(CommandRunStatus)
    for status, follows in rows.items():
        assert set(re.findall(r"[A-Z]{5,}", follows)) == command_run._STEPS[CommandRunStatus(status)]


def test_the_table_of_our_own_faults_of_commands_has_each_with_its_error() -> None:
    rows = {code: re.findall(r"[A-Z_]{5,}", error) for code, _, error in _table("docs/commands.md", "Code of the run")}
    assert set(rows) == command_failures.OWN_CODES
    assert {code for codes in rows.values() for code in codes} <= set(UserErrorCode)


def test_the_table_of_what_arrives_at_return_to_has_every_code() -> None:
    assert {row[0] for row in _table("docs/authorization.md", "`error`")} == set(FailureCode)


def test_the_table_of_sign_ins_that_fail_has_every_code() -> None:
    assert [row[0] for row in _table("docs/signing-in.md", "`code`")] == list(SignInFailureCode)


def test_the_table_of_faults_is_the_codes() -> None:
    rows = {kind: (verdict, code) for kind, _, verdict, code in _table("docs/adding-a-service.md", "Kind")}
    assert rows == {
        kind.value: (health._VERDICT[kind], service_failures.FAILURE_CODE[kind]) for kind in health._VERDICT
    }


def test_the_table_of_commands_is_what_the_services_declare() -> None:
    rows = {row[0]: row[1:] for row in _table("docs/services.md", "Command")}
    assert rows == {
        command.id: [
            command.description,
            _marked(", ", command.required_scopes),
            _marked(" or ", command.required_permissions),
            command.least_role.value,
            "yes" if command.repeatable else "no",
            _marked(", ", command.event_types),
        ]
        for service in with_commands()
        for command in service.commands or ()
    }


def _marked(separator: str, names: Sequence[str]) -> str:
    """As a cell has them once the outer code marks are off."""
    return separator.join(f"`{name}`" for name in names).strip("`")


def test_the_table_of_limits_is_the_codes() -> None:
    limits = Limits()
    assert [int(row[1]) for row in _table("docs/api.md", "What")] == [
        limits.page_size,
        limits.ids,
        series_buckets.MOST_POINTS[series_buckets.SeriesBucket.DAY],
        limits.cost,
        limits.statements,
        limits.definitions,
        limits.depth,
        limits.root_fields,
        limits.aliases,
        limits.repeated_fields,
        limits.directives,
        limits.introspections,
        limits.introspection_depth,
        limits.variables,
        limits.boolean_variables,
        limits.input_depth,
        limits.input_fields,
        limits.input_items,
        limits.tokens,
        limits.characters,
        limits.body_kilobytes,
        limits.frame_kilobytes,
        limits.socket_operations,
        limits.socket_init_seconds,
        limits.socket_messages,
        limits.socket_unread_seconds,
        limits.caller_streams,
        limits.caller_operations,
        limits.request_seconds,
    ]


def test_the_table_of_other_origins_headers_is_the_codes() -> None:
    rows = _table("docs/api.md", "Headers that a page")
    assert [row[1].split("`, `") for row in rows] == [list(ALLOWED), list(EXPOSED)]


def test_the_table_of_settable_limits_has_each_with_its_default_and_its_bounds() -> None:
    rows = [(row[0], *map(int, row[2:])) for row in _table("docs/operations.md", "Limit")]
    assert rows == [
        (setting.variable, default, setting.possible[0], setting.possible[-1])
        for _, setting, default in settings_of_limits()
    ]


def test_the_table_of_metrics_has_all_of_them_with_their_labels_and_their_meaning() -> None:
    rows = [
        (name, labels.replace("`", ""), meaning) for name, labels, meaning in _table("docs/operations.md", "Metric")
    ]
    metrics = [*Metrics().kept, *SCRAPED]
    assert rows == [(name, ", ".join(labels), meaning) for name, labels, meaning in metrics]


def test_the_table_of_labels_has_every_word() -> None:
    words = {what: set(re.findall(r"[A-Z_]{2,}", values)) for what, values in _table("docs/operations.md", "Label")}
    assert words["kind` of statements"] == set(KINDS)
    assert words["state` of a breaker"] == set(BREAKER_STATES)
    assert words["outcome` of tasks"] == set(runner._WORDS.values())
    assert set(HttpFaultKind) <= words["outcome` of calls"]
    assert words["outcome` of persisted queries"] == set(OUTCOMES)


def test_the_table_of_what_is_stored_has_every_table() -> None:
    assert {row[0] for row in _table("docs/data.md", "Table")} == set(metadata.tables)


def test_the_readmes_settings_have_their_defaults_and_are_required_as_it_says(tmp_path: Path) -> None:
    rows = _table("README.md", "Name")
    assert [row[0] for row in rows] == [name for name in KNOWN if name not in {*SERVICE_VARIABLES, *LIMIT_VARIABLES}]
    (tmp_path / "key").write_text("A" * 43, "ascii")
    least = {
        "TETHER_DATABASE_URL": "sqlite+aiosqlite:///tether.db",
        "TETHER_ENCRYPTION_KEY_FILE": str(tmp_path / "key"),
        "TETHER_PUBLIC_URL": "https://tether.example.com",
    }
    assert {name for name, *_, required in rows if required != "no"} == {*least, "TETHER_ENCRYPTION_KEY"}
    production = Settings.from_environment(least)
    for name in least:
        with pytest.raises(SettingsError, match=name):
            Settings.from_environment({each: value for each, value in least.items() if each != name})
    development = Settings.from_environment(
        {"TETHER_ENVIRONMENT": "development", **{name: least[name] for name in list(least)[:2]}}
    )
    for name, _, default, required in rows:
        if default:
            settings = development if required == "yes" else production
            group = settings.browsers if name in BROWSER_VARIABLES else settings
            assert str(getattr(group, name.removeprefix("TETHER_").lower())) == default
    of_services = _table("docs/services.md", "Name")
    assert [row[0] for row in of_services] == list(SERVICE_VARIABLES)
    for name, _, default in of_services:
        if default:
            assert str(getattr(production.services, name.removeprefix("TETHER_").lower())) == default


def test_the_settings_of_issuers_have_their_defaults_and_all_that_is_needed_is_said(tmp_path: Path) -> None:
    rows = _table("docs/identity-providers.md", "`TETHER_OIDC_<NAME>_…`")
    assert [row[0] for row in rows] == list(ISSUER_ENDINGS)
    (tmp_path / "key").write_text("A" * 43, "ascii")
    least = {
        "TETHER_DATABASE_URL": "sqlite+aiosqlite:///tether.db",
        "TETHER_ENCRYPTION_KEY_FILE": str(tmp_path / "key"),
        "TETHER_PUBLIC_URL": "https://tether.example.com",
        ISSUERS: "main",
        variable("main", "ISSUER"): "https://login.example.com",
        variable("main", "AUDIENCE"): "tether",
    }
    written = {variable("main", ending): default for ending, _, default in rows if " " not in default}
    written = {name: default for name, default in written.items() if default not in {"", "none"}}

    def issuer(more: dict[str, str]) -> Issuer:
        [read] = Settings.from_environment(least | more).identity.issuers
        return read

    assert len(written) == 6
    assert issuer(written) == issuer({})


def test_the_table_of_refusals_has_every_reason() -> None:
    assert [row[0] for row in _table("docs/identity-providers.md", "Reason")] == list(Refusal)
    assert set(Refusal).isdisjoint({ACCEPTED, UNAVAILABLE})


def test_the_examples_of_providers_can_be_read() -> None:
    examples = re.findall(r"^```sh\n(TETHER_OIDC_ISSUERS=.*?)^```$", _text("docs/identity-providers.md"), re.M | re.S)
    assert len(examples) == 4
    for example in examples:
        variables = dict(line.split("=", 1) for line in example.splitlines())
        development = {"TETHER_ENVIRONMENT": "development", "TETHER_DATABASE_URL": "sqlite+aiosqlite:///tether.db"}
        settings = Settings.from_environment({**development, "TETHER_ENCRYPTION_KEY": "A" * 43, **variables})
        assert len(settings.identity.issuers) == 1


def test_the_table_of_clients_has_the_versions_that_their_tests_run() -> None:
    packages = json.loads(_text("tests/clients/package.json"))["dependencies"]
    names = [(re.findall(r"`(.+)`", name)[0], version) for name, version, *_ in _table("docs/clients.md", "Client")]
    assert len(names) == 8
    assert {name: packages[name] for name, _ in names} == dict(names)


def test_each_command_stands_in_operations_with_the_example_and_options_of_its_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    sections = dict(re.findall(r"^### (tether .+)\n\n((?:(?!^##).*\n)*)", _text("docs/operations.md"), re.MULTILINE))
    overall = _help([], monkeypatch, capsys)
    commands = re.findall(r"^    (\w+)(?:  |$)", overall, re.MULTILINE)
    assert {name.split()[1] for name in sections} == set(commands)
    for name, section in sections.items():
        told = _help(name.split()[1:], monkeypatch, capsys)
        [example] = re.findall(r"^```sh\n(.+)\n```$", section, re.MULTILINE)
        assert f"Example: {example}\n" in told
        options = set(re.findall(r"^  (--[a-z-]+)", told, re.MULTILINE))
        assert options == set(re.findall(r"`(--[a-z-]+)`", section))


def _help(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", ["tether", *arguments, "--help"])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 0
    return capsys.readouterr().out


def _table(page: str, first_column: str) -> list[list[str]]:
    [table] = _tables(page, first_column)
    return table


def _tables(page: str, first_column: str) -> list[list[list[str]]]:
    """The rows of each table whose first column has that heading, without code marks."""
    tables = re.findall(rf"^\| {first_column} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", _text(page), re.MULTILINE)
    return [[[cell.strip(" `") for cell in row.split("|")[1:-1]] for row in table.splitlines()] for table in tables]


def _text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")
