"""What an operator says of the services: where they are, and what is registered there. Read by `settings.py`.

A service whose client isn't set can still be connected by token.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from domain.address_guard import OutboundAllow
from domain.secret import Secret
from domain.services.generic import GenericServiceDescription, read_descriptions
from domain.services.github import GitHubApp
from domain.services.oauth_client import OAuthClient
from gql.settings_reader import SettingsReader

SERVICE_VARIABLES: Final = (
    "TETHER_GITHUB_URL",
    "TETHER_GITHUB_API_URL",
    "TETHER_GITHUB_CLIENT_ID",
    "TETHER_GITHUB_CLIENT_SECRET",
    "TETHER_GITHUB_CLIENT_SECRET_FILE",
    "TETHER_GITHUB_APP_ID",
    "TETHER_GITHUB_APP_SLUG",
    "TETHER_GITHUB_APP_PRIVATE_KEY",
    "TETHER_GITHUB_APP_PRIVATE_KEY_FILE",
    "TETHER_GITHUB_WEBHOOK_SECRETS",
    "TETHER_GITHUB_WEBHOOK_SECRETS_FILE",
    "TETHER_SLACK_URL",
    "TETHER_SLACK_API_URL",
    "TETHER_SLACK_CLIENT_ID",
    "TETHER_SLACK_CLIENT_SECRET",
    "TETHER_SLACK_CLIENT_SECRET_FILE",
    "TETHER_SLACK_SIGNING_SECRETS",
    "TETHER_SLACK_SIGNING_SECRETS_FILE",
    "TETHER_GITLAB_URL",
    "TETHER_GITLAB_CLIENT_ID",
    "TETHER_GITLAB_CLIENT_SECRET",
    "TETHER_GITLAB_CLIENT_SECRET_FILE",
    "TETHER_GITLAB_WEBHOOK_SECRETS",
    "TETHER_GITLAB_WEBHOOK_SECRETS_FILE",
    "TETHER_SERVICES_FILE",
)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """All of it. URLs end without a slash; of secrets there are two while one is being replaced."""

    github_url: str
    github_api_url: str
    github_client: OAuthClient | None
    github_app: GitHubApp | None
    github_webhook_secrets: tuple[Secret, ...]
    slack_url: str
    slack_api_url: str
    slack_client: OAuthClient | None
    slack_signing_secrets: tuple[Secret, ...]
    gitlab_url: str
    gitlab_client: OAuthClient | None
    gitlab_webhook_secrets: tuple[Secret, ...]
    described: tuple[GenericServiceDescription, ...]
    """Further services, as a file describes them."""

    @classmethod
    def read(cls, reader: SettingsReader, allow: OutboundAllow) -> Self:
        """Notes what is wrong with the reader."""
        return cls(
            github_url=reader.service_url("TETHER_GITHUB_URL", "https://github.com", allow),
            github_api_url=reader.service_url("TETHER_GITHUB_API_URL", "https://api.github.com", allow),
            github_client=_client(reader, "GITHUB"),
            github_app=_github_app(reader),
            github_webhook_secrets=reader.secrets("TETHER_GITHUB_WEBHOOK_SECRETS"),
            slack_url=reader.service_url("TETHER_SLACK_URL", "https://slack.com", allow),
            slack_api_url=reader.service_url("TETHER_SLACK_API_URL", "https://slack.com/api", allow),
            slack_client=_client(reader, "SLACK"),
            slack_signing_secrets=reader.secrets("TETHER_SLACK_SIGNING_SECRETS"),
            gitlab_url=reader.service_url("TETHER_GITLAB_URL", "https://gitlab.com", allow),
            gitlab_client=_client(reader, "GITLAB"),
            gitlab_webhook_secrets=reader.secrets("TETHER_GITLAB_WEBHOOK_SECRETS"),
            described=_described(reader, allow),
        )


def _client(reader: SettingsReader, service: str) -> OAuthClient | None:
    names = (f"TETHER_{service}_CLIENT_ID", f"TETHER_{service}_CLIENT_SECRET")
    if not reader.require_together(names):
        return None
    _, secret = reader.secret(names[1])
    return OAuthClient(reader.text(names[0]) or "", Secret(secret or ""))


def _github_app(reader: SettingsReader) -> GitHubApp | None:
    names = ("TETHER_GITHUB_APP_ID", "TETHER_GITHUB_APP_SLUG", "TETHER_GITHUB_APP_PRIVATE_KEY")
    if not reader.require_together(names):
        return None
    _, key = reader.secret(names[2], bytes_at_most=_PRIVATE_KEY_BYTES)
    return GitHubApp(reader.text(names[0]) or "", reader.text(names[1]) or "", Secret(key or ""))


def _described(reader: SettingsReader, allow: OutboundAllow) -> tuple[GenericServiceDescription, ...]:
    name = "TETHER_SERVICES_FILE"
    file = reader.text(name)
    if file is None:
        return ()
    try:
        text = Path(file).read_text("utf-8")
    except (OSError, ValueError):
        reader.problems.append(f"{name}: The file {file} can't be read as UTF-8 text.")
        return ()
    try:
        return tuple(read_descriptions(text, allow, reader.environ))
    except ValueError as mistakes:
        reader.problems += [f"{name}: {mistake}" for mistake in str(mistakes).splitlines()]
        return ()


_PRIVATE_KEY_BYTES: Final = 16 * 1024
