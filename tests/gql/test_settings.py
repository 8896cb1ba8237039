"""What the environment may say, what it means, and what an operator is told about what it may not say."""

import logging
import re
from base64 import b64decode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import OutboundAllow
from domain.key_ring import generate_key
from gql.limit_settings import Limits, settings_of_limits
from gql.settings import KNOWN, Environment, Settings, SettingsError
from gql.trusted_proxies import TrustedProxies

KEY = generate_key()
DEVELOPMENT_KEY = generate_key(development=True)
PUBLIC_URL = "https://tether.example.com"
NO_KEY = (
    "TETHER_ENCRYPTION_KEY or TETHER_ENCRYPTION_KEY_FILE has to be set. `tether keys generate` makes a key: "
    "keep it safe, since nothing else opens the stored credentials."
)
BAD_URL = "Write an address such as https://host.example.com/path, with neither user name nor query nor fragment."


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/tether.db"


@pytest.fixture
def production(database_url: str) -> dict[str, str]:
    """The least that production needs."""
    return {"TETHER_DATABASE_URL": database_url, "TETHER_ENCRYPTION_KEY": KEY, "TETHER_PUBLIC_URL": PUBLIC_URL}


@pytest.fixture
def development(database_url: str) -> dict[str, str]:
    """The least that development needs."""
    return {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": database_url,
        "TETHER_ENCRYPTION_KEY": DEVELOPMENT_KEY,
    }


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment(environ)
    return refusal.value.problems


def test_production_is_the_default_and_calls_the_real_services(production: dict[str, str], database_url: str) -> None:
    settings = Settings.from_environment(production | {"PATH": "/bin"})
    assert settings.environment is Environment.PRODUCTION
    assert settings.database_url == database_url
    assert settings.encryption_key.key == b64decode(KEY)
    assert settings.public_url == PUBLIC_URL
    assert settings.services.github_url == "https://github.com"
    assert settings.services.github_api_url == "https://api.github.com"
    assert settings.services.slack_url == "https://slack.com"
    assert settings.services.slack_api_url == "https://slack.com/api"
    assert settings.outbound_allow == OutboundAllow()


def test_development_is_reached_on_this_machine_by_default(development: dict[str, str]) -> None:
    settings = Settings.from_environment(development)
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.encryption_key.development


def test_services_can_be_elsewhere(production: dict[str, str]) -> None:
    settings = Settings.from_environment(
        production
        | {
            "TETHER_GITHUB_API_URL": "https://ghe.example.com/api/v3/",
            "TETHER_SLACK_API_URL": " http://127.0.0.1:8010/slack/api ",
            "TETHER_SLACK_URL": "http://sandbox.internal",
            "TETHER_OUTBOUND_ALLOW": "127.0.0.1, sandbox.internal",
        }
    )
    assert settings.services.github_api_url == "https://ghe.example.com/api/v3"
    assert settings.services.slack_api_url == "http://127.0.0.1:8010/slack/api"
    assert settings.services.slack_url == "http://sandbox.internal"
    assert settings.outbound_allow == OutboundAllow.parse("127.0.0.1, sandbox.internal")


def test_how_long_browsers_stay_signed_in(production: dict[str, str]) -> None:
    settings = Settings.from_environment(production)
    assert (settings.session_idle_hours, settings.session_days) == (12, 7)
    settings = Settings.from_environment(production | {"TETHER_SESSION_IDLE_HOURS": "1", "TETHER_SESSION_DAYS": "365"})
    assert (settings.session_idle_hours, settings.session_days) == (1, 365)
    for wrong in ("0", "721", "1.5", "-1", "an hour"):
        assert problems(production | {"TETHER_SESSION_IDLE_HOURS": wrong}) == (
            "TETHER_SESSION_IDLE_HOURS: Write a whole number of hours from 1 to 720.",
        )
    assert problems(production | {"TETHER_SESSION_DAYS": "366"}) == (
        "TETHER_SESSION_DAYS: Write a whole number of days from 1 to 365.",
    )


@pytest.mark.parametrize("public_url", ["https://tether.example.com", "http://127.0.0.1:8000"])
def test_nothing_switches_the_built_in_identity_provider_on_in_production(
    production: dict[str, str], public_url: str
) -> None:
    given = production | {"TETHER_PUBLIC_URL": public_url}
    assert not Settings.from_environment(given).development_issuer
    assert problems(given | {"TETHER_DEVELOPMENT_ISSUER": "on"}) == (
        "TETHER_DEVELOPMENT_ISSUER: It signs in whoever comes, without a password: production refuses it.",
    )
    assert not Settings.from_environment(given | {"TETHER_DEVELOPMENT_ISSUER": "off"}).development_issuer


def test_development_has_it_where_nobody_else_comes_by(development: dict[str, str]) -> None:
    assert Settings.from_environment(development).development_issuer
    assert not Settings.from_environment(development | {"TETHER_DEVELOPMENT_ISSUER": "off"}).development_issuer
    for public_url in ("https://dev.example.com", "http://dev.example.com", "https://127.0.0.1"):
        elsewhere = development | {"TETHER_PUBLIC_URL": public_url}
        assert not Settings.from_environment(elsewhere).development_issuer
        assert problems(elsewhere | {"TETHER_DEVELOPMENT_ISSUER": "on"}) == (
            "TETHER_DEVELOPMENT_ISSUER: It needs a TETHER_PUBLIC_URL of this machine, such as http://127.0.0.1:8000.",
        )
    assert problems(development | {"TETHER_DEVELOPMENT_ISSUER": "yes"}) == (
        "TETHER_DEVELOPMENT_ISSUER: Write on or off, not 'yes'.",
    )


def test_how_long_checks_and_events_are_kept(production: dict[str, str]) -> None:
    settings = Settings.from_environment(production)
    assert (settings.checks_kept_days, settings.events_kept_days) == (7, 90)
    given = {"TETHER_CHECKS_KEPT_DAYS": " 2 ", "TETHER_EVENTS_KEPT_DAYS": "3650"}
    settings = Settings.from_environment(production | given)
    assert (settings.checks_kept_days, settings.events_kept_days) == (2, 3650)
    for wrong in ("1", "3651", "-7", "7.5", "a week", "٧", "9" * 5_000):
        assert problems(production | {"TETHER_CHECKS_KEPT_DAYS": wrong}) == (
            "TETHER_CHECKS_KEPT_DAYS: Write a whole number of days from 2 to 3650.",
        )
    assert problems(production | {"TETHER_EVENTS_KEPT_DAYS": "29"}) == (
        "TETHER_EVENTS_KEPT_DAYS: Write a whole number of days from 30 to 3650.",
    )


def test_every_limit_can_be_set_within_its_bounds(production: dict[str, str]) -> None:
    assert Settings.from_environment(production).limits == Limits()
    for name, setting, _ in settings_of_limits():
        for value in (setting.possible[0], setting.possible[-1]):
            limits = replace(Limits(), **{name: value})
            if name == "budget_points":  # no operation may cost more than a whole budget
                limits = replace(limits, cost=min(limits.cost, value))
            elif name == "cost":
                limits = replace(limits, budget_points=max(limits.budget_points, value))
            set_ = {each.variable: str(getattr(limits, other)) for other, each, _ in settings_of_limits()}
            assert Settings.from_environment(production | set_).limits == limits


def test_a_limit_out_of_its_bounds_is_a_problem(production: dict[str, str]) -> None:
    wrong, told = {}, []
    for _, setting, _ in settings_of_limits():
        wrong[setting.variable] = str(setting.possible[-1] + 1)
        told.append(
            f"{setting.variable}: Write a whole number of {setting.unit} "
            f"from {setting.possible[0]} to {setting.possible[-1]}."
        )
    assert problems(production | wrong) == tuple(told)


def test_how_long_the_audit_log_is_kept(production: dict[str, str]) -> None:
    assert Settings.from_environment(production).audit_kept_days == 400
    assert Settings.from_environment(production | {"TETHER_AUDIT_KEPT_DAYS": "90"}).audit_kept_days == 90
    assert problems(production | {"TETHER_AUDIT_KEPT_DAYS": "89"}) == (
        "TETHER_AUDIT_KEPT_DAYS: Write a whole number of days from 90 to 3650.",
    )


def test_no_proxy_is_trusted_unless_it_is_named(production: dict[str, str]) -> None:
    assert Settings.from_environment(production).trusted_proxies == TrustedProxies()
    named = Settings.from_environment(production | {"TETHER_TRUSTED_PROXIES": " 127.0.0.1, ::1,10.0.4.0/24,"})
    assert named.trusted_proxies == TrustedProxies.parse("127.0.0.1/32,::1/128,10.0.4.0/24")
    for wrong in ("*", "10.0.4.7/24", "proxy.example.com", "10.0.0", "127.0.0.1:80", "١٠.0.0.1"):
        [problem] = problems(production | {"TETHER_TRUSTED_PROXIES": f"127.0.0.1,{wrong}"})
        assert problem.startswith(f"TETHER_TRUSTED_PROXIES: {wrong!r} is neither an address nor a network.")


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert problems({"TETHER_GITHUB_URL": "github.com", "TETHER_DATABASE": "x"}) == (
        "TETHER_DATABASE_URL isn't set. Write sqlite+aiosqlite:///path/to/file "
        "or postgresql+asyncpg://user:password@host/database.",
        NO_KEY,
        "TETHER_PUBLIC_URL isn't set. Write the address at which people reach this server, "
        "such as https://tether.example.com.",
        f"TETHER_GITHUB_URL: {BAD_URL}",
        "TETHER_DATABASE is no setting of Tether. Did you mean TETHER_DATABASE_URL?",
    )


def test_an_unknown_environment_is_one_problem(database_url: str) -> None:
    environ = {"TETHER_DATABASE_URL": database_url, "TETHER_ENCRYPTION_KEY": KEY, "TETHER_ENVIRONMENT": "staging"}
    assert problems(environ) == ("TETHER_ENVIRONMENT: Write development or production, not 'staging'.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysql://u:canary@h/d", "A database of the kind 'mysql' isn't supported."),
        ("sqlite+aiosqlite:///:memory:", "SQLite needs a file"),
        ("sqlite+aiosqlite:////no/such/folder/tether.db", "There is no folder /no/such/folder"),
        ("canary", "The database's address can't be read."),
        ("sqlite+aiosqlite://canary/tether.db", "The database's address can't be read."),
        ("sqlite+aiosqlite:////tmp/tether.db?foo=canary", "SQLite's address takes no arguments"),
        ("postgresql+asyncpg://u:canary@h/d?ssl=canary", "The argument ssl of a PostgreSQL address is one of disable,"),
        ("postgresql+asyncpg://u:canary@h/d?foo=canary", "A PostgreSQL address has no argument 'foo'"),
        ("postgresql+asyncpg://u:canary@/d?host=a:1&host=b", "The database's address can't be read."),
        ("postgresql+asyncpg://u:canary@h:65536/d", "The port in the database's address is a number"),
    ],
)
def test_a_database_that_cannot_be_is_named_without_its_password(
    production: dict[str, str], text: str, message: str
) -> None:
    (problem,) = problems(production | {"TETHER_DATABASE_URL": text})
    assert problem.startswith(f"TETHER_DATABASE_URL: {message}")
    assert "canary" not in problem


# The encryption key


def test_a_key_is_needed_once(production: dict[str, str], tmp_path: Path) -> None:
    assert problems(production | {"TETHER_ENCRYPTION_KEY": " "}) == (NO_KEY,)
    assert problems(production | {"TETHER_ENCRYPTION_KEY_FILE": str(tmp_path / "key")}) == (
        "TETHER_ENCRYPTION_KEY and TETHER_ENCRYPTION_KEY_FILE are both set. Keep one and unset the other.",
    )


def test_production_refuses_a_development_key(production: dict[str, str]) -> None:
    (problem,) = problems(production | {"TETHER_ENCRYPTION_KEY": DEVELOPMENT_KEY})
    assert problem == (
        "TETHER_ENCRYPTION_KEY: This key was made for development, which production refuses. "
        "Make another one with `tether keys generate`."
    )


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused_and_not_repeated(production: dict[str, str], length: int) -> None:
    text = "development:" + urlsafe_b64encode(bytes(range(length))).decode()
    (problem,) = problems(production | {"TETHER_ENCRYPTION_KEY": text})
    assert problem.startswith("TETHER_ENCRYPTION_KEY: The encryption key ")
    assert problem.endswith(" `tether keys generate` makes one.")
    assert text not in problem


def file_with(content: bytes, folder: Path, mode: int = 0o600) -> dict[str, str]:
    file = folder / "encryption.key"
    file.write_bytes(content)
    file.chmod(mode)
    return {"TETHER_ENCRYPTION_KEY": "", "TETHER_ENCRYPTION_KEY_FILE": str(file)}


def test_a_key_can_be_in_a_file(production: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.from_environment(production | file_with(f"{KEY}\n".encode(), tmp_path))
    assert settings.encryption_key.key == b64decode(KEY)
    assert not caplog.records


def test_a_key_that_everybody_can_read_is_worth_a_warning(
    production: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "encryption.key"
    Settings.from_environment(production | file_with(KEY.encode(), tmp_path, 0o644))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (f"Everybody on this machine can read the secret in {file}. Run: chmod o-rwx {file}")


def test_a_file_that_is_no_key_is_named_without_its_content(production: dict[str, str], tmp_path: Path) -> None:
    name = "TETHER_ENCRYPTION_KEY_FILE"
    file = tmp_path / "encryption.key"
    missing = {"TETHER_ENCRYPTION_KEY": "", name: str(file)}
    assert problems(production | missing) == (f"{name}: The file {file} can't be read: No such file or directory.",)
    assert problems(production | missing | {name: str(tmp_path)}) == (
        f"{name}: The file {tmp_path} can't be read: Is a directory.",
    )
    for content in (b"\xffcanary", b"canary" * 1000):
        (problem,) = problems(production | file_with(content, tmp_path))
        assert problem == f"{name}: The file {file} doesn't hold a key."
    (problem,) = problems(production | file_with(b"canary!", tmp_path))
    assert problem.startswith(f"{name}: The encryption key isn't base64.")
    assert "canary" not in problem


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "github.com",
        "//github.com",
        "ftp://github.com",
        "https://",
        "https://user:canary@github.com",
        "https://@github.com",
        "https://github.com/?token=canary",
        "https://github.com/#fragment",
        "https://github.com:0",
        "https://github.com:99999",
        "https://github.com:port",
        "https://[::1",
        "https://git hub.com",
        "https://github.com\\@evil.example",
        "https://gïthub.com",
        "https://api..github.com",
        "https://.github.com",
        "https://-github.com",
        "https://" + "a" * 64 + ".com",
        "https://" + "a." * 127 + "com",
        "https://[fe80::1%25eth0]",
    ],
)
@pytest.mark.parametrize("name", ["TETHER_PUBLIC_URL", "TETHER_GITHUB_API_URL"])
def test_what_is_no_plain_address_is_refused(production: dict[str, str], name: str, url: str) -> None:
    assert problems(production | {name: url}) == (f"{name}: {BAD_URL}",)


@pytest.mark.parametrize(
    "name", ["TETHER_GITHUB_URL", "TETHER_GITHUB_API_URL", "TETHER_SLACK_URL", "TETHER_SLACK_API_URL"]
)
def test_services_are_called_without_tls_only_where_that_is_allowed(development: dict[str, str], name: str) -> None:
    environ = development | {name: "http://10.1.2.3/api"}
    assert problems(environ) == (
        f"{name}: Write https://…: http:// is only for hosts that TETHER_OUTBOUND_ALLOW names, since others could "
        "read the credentials.",
    )
    allowed = Settings.from_environment(environ | {"TETHER_OUTBOUND_ALLOW": "10.0.0.0/8"})
    assert "http://10.1.2.3/api" in repr(allowed)


def test_an_unusual_spelling_of_an_address_is_refused(production: dict[str, str]) -> None:
    assert problems(production | {"TETHER_SLACK_URL": "https://0x7f.1"}) == (
        "TETHER_SLACK_URL: 0x7f.1 is an unusual spelling of an address.",
    )


def test_what_may_be_called_has_to_be_readable(production: dict[str, str]) -> None:
    (problem,) = problems(production | {"TETHER_OUTBOUND_ALLOW": "10.0.0.0/8, *.example.com"})
    assert problem.startswith(
        "TETHER_OUTBOUND_ALLOW: '*.example.com' is neither a host name, an address nor a network."
    )


def test_production_is_reached_by_tls_or_from_this_machine(production: dict[str, str]) -> None:
    assert problems(production | {"TETHER_PUBLIC_URL": "http://tether.example.com"}) == (
        "TETHER_PUBLIC_URL: Write https://…: in production, http:// is only for this machine itself "
        "(http://127.0.0.1).",
    )
    environ = production | {"TETHER_PUBLIC_URL": "http://127.0.0.1:8000/"}
    assert Settings.from_environment(environ).public_url == "http://127.0.0.1:8000"


# Names


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("TETHER_ENCRYPTION_KEYFILE", "TETHER_ENCRYPTION_KEY_FILE"),
        ("TETHER_SLACK_APIURL", "TETHER_SLACK_API_URL"),
        ("TETHER_ENV", "TETHER_ENVIRONMENT"),
    ],
)
def test_a_mistyped_name_is_refused_with_the_nearest_known_one(
    production: dict[str, str], mistyped: str, meant: str
) -> None:
    assert problems(production | {mistyped: "canary"}) == (
        f"{mistyped} is no setting of Tether. Did you mean {meant}?",
    )


def test_variables_of_the_tests_and_of_kubernetes_are_nobodys_mistake(production: dict[str, str]) -> None:
    others = {
        "TETHER_TEST_POSTGRESQL_URL": "postgresql+asyncpg://localhost/postgres",
        "TETHER_SERVICE_HOST": "10.96.0.7",
        "TETHER_SERVICE_PORT": "80",
        "TETHER_SERVICE_PORT_HTTP": "80",
        "TETHER_PORT": "tcp://10.96.0.7:80",
        "TETHER_PORT_80_TCP": "tcp://10.96.0.7:80",
        "TETHER_PORT_80_TCP_PROTO": "tcp",
        "TETHER_PORT_80_TCP_ADDR": "10.96.0.7",
    }
    assert Settings.from_environment(production | others) == Settings.from_environment(production)
    assert problems(production | {"TETHER_PORT": "9000"}) != ()


def test_settings_show_no_secret(production: dict[str, str]) -> None:
    url = "postgresql+asyncpg://tether:canary@db.example.com/tether"
    shown = repr(Settings.from_environment(production | {"TETHER_DATABASE_URL": url}))
    assert "canary" not in shown
    assert KEY not in shown
    assert repr(b64decode(KEY)) not in shown


@given(st.dictionaries(st.sampled_from(KNOWN), st.text(max_size=40)))
def test_whatever_is_set_each_problem_names_its_variable(environ: dict[str, str]) -> None:
    environ["TETHER_PUBLIC_URL"] = "somewhere"  # so that there is a problem, whatever the others say
    found = problems(environ)
    assert [problem for problem in found if not re.match(r"TETHER_[A-Z_]+\b", problem)] == []
