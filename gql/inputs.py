"""What mutations take: the credential and the input of each. Used by `gql/mutations.py`."""

import strawberry

from domain.command_runs import MOST_PATIENCE_SECONDS, PATIENCE_SECONDS
from domain.entities.connection_status import ConnectionStatus
from domain.services.authorization import AuthorizationMethod
from gql.types.scalars import JSON, URL

_EXPECTED_VERSION = (
    "The version that the caller has read: if it has changed meanwhile, nothing is done (VersionConflict)."
)
IDEMPOTENCY_KEY = (
    "Any text of the caller's, such as a UUID. The same call again with the same key gives what the first one created."
)


@strawberry.input(description="A token that a person has made at the service.")
class TokenCredentialInput:
    token: str = strawberry.field(description="The token itself. It is sealed at once and never shown again.")


@strawberry.input(description="An installation of a GitHub App of your own.")
class GitHubAppCredentialInput:
    app_id: str = strawberry.field(description="The app's id or client id.")
    installation_id: str = strawberry.field(description="The number of the installation, as its address ends with.")
    private_key: str = strawberry.field(description="The app's private key, a PEM text. It is sealed at once.")


@strawberry.input(one_of=True, description="What opens the service: exactly one of these.")
class CredentialInput:
    token: TokenCredentialInput | None = strawberry.field(
        default=strawberry.UNSET, description="A personal or fine-grained token, or a bot token."
    )
    github_app: GitHubAppCredentialInput | None = strawberry.field(
        default=strawberry.UNSET, name="githubApp", description="An installation of a GitHub App; for `github` only."
    )


@strawberry.input(description="A new connection.")
class CreateConnectionInput:
    organization_id: strawberry.ID = strawberry.field(description="Whose it will be.")
    service: strawberry.ID = strawberry.field(description="The service's id, such as `github`: see `Query.services`.")
    name: str | None = strawberry.field(default=None, description="What to call it; the account's name by default.")
    credential: CredentialInput = strawberry.field(description="What opens the service.")
    settings: JSON | None = strawberry.field(
        default=None, description="The connection's settings: see `Service.settingsSchema`."
    )
    labels: JSON | None = strawberry.field(
        default=None, description='Its labels, text by text, such as {"team": "platform"}.'
    )
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="A service to connect in the browser, or a connection to bring back that way.")
class AuthorizeConnectionInput:
    organization_id: strawberry.ID = strawberry.field(description="Whose it is or will be.")
    service: strawberry.ID = strawberry.field(description="The service's id, such as `github`: see `Query.services`.")
    connection_id: strawberry.ID | None = strawberry.field(
        default=None, description="The connection to bring back, which keeps its name, settings and labels."
    )
    method: AuthorizationMethod | None = strawberry.field(
        default=None, description="How, where the service has several ways in the browser; the usual one by default."
    )
    name: str | None = strawberry.field(
        default=None, description="What to call it; the account's name by default. It gets a number if it is taken."
    )
    scopes: list[str] | None = strawberry.field(
        default=None, description="What to ask for; what the settings require by default."
    )
    return_to: URL | None = strawberry.field(
        default=None,
        description="Where the browser goes in the end: exactly one of the addresses that the operator allows. "
        "Without it, a page of this server shows the code.",
    )
    popup: bool = strawberry.field(
        default=False,
        description="Whether the browser is a popup that tells its opener, of the origin of `returnTo`, and closes.",
    )
    allow_account_change: bool = strawberry.field(
        default=False, description="Whether the connection may become another account's."
    )
    settings: JSON | None = strawberry.field(
        default=None, description="The connection's settings: see `Service.settingsSchema`."
    )
    labels: JSON | None = strawberry.field(
        default=None, description='Its labels, text by text, such as {"team": "platform"}.'
    )


@strawberry.input(description="An authorization to finish.")
class CompleteAuthorizationInput:
    code: str = strawberry.field(description="The completion code with which the browser came back.")


@strawberry.input(description="What to change of a connection. What isn't given stays.")
class UpdateConnectionInput:
    connection_id: strawberry.ID = strawberry.field(description="The connection's id.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Its new name.")
    labels: JSON | None = strawberry.field(default=strawberry.UNSET, description="All of its labels from now on.")
    settings: JSON | None = strawberry.field(default=strawberry.UNSET, description="All of its settings from now on.")
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)


@strawberry.input(description="A status to set.")
class UpdateConnectionStatusInput:
    connection_id: strawberry.ID = strawberry.field(description="The connection's id.")
    status: ConnectionStatus = strawberry.field(
        description="One of its `availableStatuses`; or INACTIVE for one that the service suspends, which then stays "
        "paused after the suspension."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for the others of the team.")
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)
    dry_run: bool = strawberry.field(
        default=False, description="Only see whether it could be done, and to what effect."
    )


@strawberry.input(description="A connection to delete.")
class DeleteConnectionInput:
    connection_id: strawberry.ID = strawberry.field(description="The connection's id.")
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)
    dry_run: bool = strawberry.field(
        default=False, description="Only see whether it could be done, and to what effect."
    )


@strawberry.input(description="A connection to check now.")
class CheckConnectionHealthInput:
    connection_id: strawberry.ID = strawberry.field(description="The connection's id.")


@strawberry.input(description="A new secret for a connection.")
class RotateCredentialsInput:
    connection_id: strawberry.ID = strawberry.field(description="The connection's id.")
    credential: CredentialInput | None = strawberry.field(
        default=None, description="The new secret, of the same account. A token can't be refreshed, so it needs one."
    )
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)


@strawberry.input(description="A connection whose repositories to bring up to date.")
class SyncRepositoriesInput:
    connection_id: strawberry.ID = strawberry.field(description="The connection's id.")


@strawberry.input(description="A command to run through a connection.")
class RunCommandInput:
    command_id: strawberry.ID = strawberry.field(description="Which one, such as `github.create_issue`.")
    connection_id: strawberry.ID = strawberry.field(description="Through which connection.")
    arguments: JSON = strawberry.field(description="What to run it with: see `Command.argumentsSchema`.")
    repository_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="One of the connection's repositories: it becomes the argument that the command's `target` names.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Makes it safe to send the same call again: for 24 hours it gives the run that the first one made, "
        "and nothing is run twice.",
    )
    wait_seconds: int = strawberry.field(
        default=PATIENCE_SECONDS,
        description=f"How long to wait for the run to end, at most {MOST_PATIENCE_SECONDS}. It goes on by itself after "
        "that. 0: it is QUEUED, and answered at once.",
    )


@strawberry.input(description="A repository to choose, or not.")
class UpdateRepositoryInput:
    repository_id: strawberry.ID = strawberry.field(description="The repository's id.")
    selected: bool = strawberry.field(description="Whether it is to be used.")
    expected_version: int | None = strawberry.field(
        default=None,
        description="The version of its connection that the caller has read: if it has changed meanwhile, nothing is "
        "done (VersionConflict).",
    )


@strawberry.input(description="What to change of an organization. What isn't given stays as it is.")
class UpdateOrganizationInput:
    organization_id: strawberry.ID = strawberry.field(description="The organization's id.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Its new name for people.")
    check_interval_seconds: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="How often to check its connections while all is well: every 60 to 86,400 seconds.",
    )
    expected_version: int | None = strawberry.field(default=None, description=_EXPECTED_VERSION)


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    slug: str = strawberry.field(description="Its name in addresses: a-z, 0-9 and `-`, such as `acme`.")
    name: str = strawberry.field(description="Its name for people, such as `Acme Inc.`.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)
