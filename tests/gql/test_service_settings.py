"""What an operator may say of the services, and what they are told about what they may not."""

from pathlib import Path

import pytest

from domain.key_ring import generate_key
from domain.secret import Secret
from gql.settings import Settings, SettingsError

_BROWSER_URL = "Write an address such as https://host.example.com/path, with neither user name nor query nor fragment."


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """The least that production needs."""
    return {
        "TETHER_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/tether.db",
        "TETHER_ENCRYPTION_KEY": generate_key(),
        "TETHER_PUBLIC_URL": "https://tether.example.com",
    }


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment(environ)
    return refusal.value.problems


def test_without_more_only_tokens_connect(production: dict[str, str]) -> None:
    settings = Settings.from_environment(production)
    services = settings.services
    assert (services.github_client, services.slack_client, services.gitlab_client) == (None, None, None)
    assert (services.github_app, services.described) == (None, ())
    assert services.github_webhook_secrets == services.slack_signing_secrets == services.gitlab_webhook_secrets == ()
    assert services.gitlab_url == "https://gitlab.com"
    assert settings.return_to == ()


@pytest.mark.parametrize("service", ["github", "slack", "gitlab"])
def test_a_client_is_an_id_and_a_secret(production: dict[str, str], service: str, tmp_path: Path) -> None:
    name = f"TETHER_{service.upper()}_CLIENT"
    file = tmp_path / "client-secret"
    file.write_text("canary-from-a-file\n", "utf-8")
    file.chmod(0o600)
    for given, secret in (
        ({f"{name}_SECRET": "canary"}, "canary"),
        ({f"{name}_SECRET_FILE": str(file)}, "canary-from-a-file"),
    ):
        services = Settings.from_environment(production | {f"{name}_ID": "abc"} | given).services
        client = getattr(services, f"{service}_client")
        assert (client.client_id, client.client_secret) == ("abc", Secret(secret))
        assert "canary" not in repr(services)


@pytest.mark.parametrize("given", ["TETHER_SLACK_CLIENT_ID", "TETHER_SLACK_CLIENT_SECRET"])
def test_half_a_client_is_a_problem(production: dict[str, str], given: str) -> None:
    missing = ({"TETHER_SLACK_CLIENT_ID", "TETHER_SLACK_CLIENT_SECRET"} - {given}).pop()
    expected = f"{given} is set, but {missing} is not: they belong together."
    assert problems(production | {given: "canary"}) == (expected,)


def test_an_app_is_an_id_a_name_and_a_key(production: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text("-----BEGIN canary-----\nlines\n", "utf-8")
    file.chmod(0o600)
    app = {"TETHER_GITHUB_APP_ID": "12", "TETHER_GITHUB_APP_SLUG": "tether", "TETHER_GITHUB_APP_PRIVATE_KEY_FILE": ""}
    assert problems(production | app) == (
        "TETHER_GITHUB_APP_ID and TETHER_GITHUB_APP_SLUG are set, but TETHER_GITHUB_APP_PRIVATE_KEY is not: "
        "they belong together.",
    )
    app["TETHER_GITHUB_APP_PRIVATE_KEY_FILE"] = str(file)
    found = Settings.from_environment(production | app).services.github_app
    assert found is not None
    assert (found.app_id, found.slug) == ("12", "tether")
    assert found.private_key == Secret("-----BEGIN canary-----\nlines")
    assert "canary" not in repr(found)


def test_two_webhook_secrets_while_one_is_replaced(production: dict[str, str]) -> None:
    services = Settings.from_environment(production | {"TETHER_GITHUB_WEBHOOK_SECRETS": "new, old,"}).services
    assert services.github_webhook_secrets == (Secret("new"), Secret("old"))


def test_browsers_return_to_listed_addresses(production: dict[str, str]) -> None:
    listed = "https://app.example.com/connected, https://app.example.com/other"
    settings = Settings.from_environment(production | {"TETHER_RETURN_TO": listed})
    assert settings.return_to == ("https://app.example.com/connected", "https://app.example.com/other")


@pytest.mark.parametrize("address", ["app.example.com", "https://app.example.com/?x=1", "https://u@app.example.com"])
def test_an_address_to_return_to_is_whole(production: dict[str, str], address: str) -> None:
    assert problems(production | {"TETHER_RETURN_TO": address}) == (f"TETHER_RETURN_TO: {_BROWSER_URL}",)


def test_production_returns_by_https_only(production: dict[str, str]) -> None:
    (problem,) = problems(production | {"TETHER_RETURN_TO": "http://app.example.com/connected"})
    assert problem.startswith("TETHER_RETURN_TO: Write https://")


def test_a_missing_file_of_services_is_a_problem(production: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    expected = f"TETHER_SERVICES_FILE: The file {file} can't be read as UTF-8 text."
    assert problems(production | {"TETHER_SERVICES_FILE": str(file)}) == (expected,)
    file.write_text("# none yet", "utf-8")
    assert Settings.from_environment(production | {"TETHER_SERVICES_FILE": str(file)}).services.described == ()


def test_every_mistake_in_that_file_is_told(production: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    file.write_text('[services.acme]\nname = "Acme"\nclient_secret = "canary"\nunknown = 1\n', "utf-8")
    told = problems(production | {"TETHER_SERVICES_FILE": str(file)})
    assert "TETHER_SERVICES_FILE: services.acme.token_url: is missing." in told
    assert len(told) > 3
    assert "canary" not in " ".join(told)
