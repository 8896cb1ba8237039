"""THE composition root: from settings to a database, units of work, services and the manager, all opened in order.

Called by the commands of `tether`; `serve` makes the application of it. Nothing else puts these parts together.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.authorization_flows import AuthorizationFlows
from domain.call_budgets import CallBudgets
from domain.command_admission import CommandAdmission
from domain.command_chooser import CommandChooser, WordChooser
from domain.command_preflight import CommandPreflight
from domain.command_runs import CommandRuns
from domain.command_selection import CommandSelections
from domain.connection_checks import ConnectionChecks
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.operation_budget import OperationAllowance
from domain.entities.user import User
from domain.health import HealthCheckFactory
from domain.http import HttpClient
from domain.identity_providers.bearer_tokens import BearerTokens
from domain.identity_providers.provider import IdentityProviders
from domain.key_ring import KeyProvider, KeyRing, LocalKeyProvider
from domain.language_model_chooser import LIMITS, LanguageModelChooser
from domain.observation import Observation
from domain.operation_budgets import OperationBudgets
from domain.ports import UnitsOfWork
from domain.recognition import Recognition
from domain.repository_manager import RepositoryManager
from domain.repository_sync import RepositorySync
from domain.service_board import ServiceBoard
from domain.service_connection_manager import ServiceConnectionManager
from domain.services.catalogue import ServiceCatalogue
from domain.services.generic import GenericService
from domain.services.github import GitHub
from domain.services.gitlab import GitLab
from domain.services.slack import Slack
from domain.sessions import SessionLifetimes, Sessions
from domain.sign_in import SignIn
from domain.tracing import Tracing
from domain.trusted_documents import TrustedDocuments
from domain.user_service import UserService
from domain.webhook_processing import WebhookProcessing
from gql.metrics import Metrics
from gql.operator_error import OperatorError
from gql.scraped_state import ScrapedState
from gql.settings import Environment, Settings
from gql.sign_in_clients import issuers_of_sessions, sign_in_clients
from gql.tracing import tracing_to
from gql.types.service import ServiceDocuments
from persistence import migrations
from persistence.connection_state_reader import ConnectionStateReader
from persistence.database import Database
from persistence.documents.reader import DocumentReader
from persistence.event_feed import EventFeed
from persistence.unit_of_work import SqlUnitsOfWork

_log = logging.getLogger(__name__)
_FEED_RESTART_SECONDS = 1.0


BYPASSES_ROW_SECURITY: Final = (
    "The database's role is a superuser or has BYPASSRLS, so PostgreSQL doesn't keep organizations apart for it. Use a "
    "role without either that owns the database."
)


@dataclass(frozen=True, slots=True)
class Tether:
    """The parts of a running Tether. `sample_founder` is signed in at GraphiQL; only `serve` in development has one."""

    settings: Settings
    database: Database
    units_of_work: SqlUnitsOfWork
    feed: EventFeed
    http: HttpClient
    catalogue: ServiceCatalogue
    board: ServiceBoard
    budgets: CallBudgets
    operation_budgets: OperationBudgets
    key_provider: KeyProvider
    key_ring: KeyRing
    encryption: CredentialEncryption
    health_checks: HealthCheckFactory
    manager: ServiceConnectionManager
    refresher: CredentialRefresher
    repositories: RepositoryManager
    commands: CommandRuns
    repository_sync: RepositorySync
    authorization_flows: AuthorizationFlows
    sessions: Sessions
    sign_in: SignIn
    webhooks: WebhookProcessing
    identity_providers: IdentityProviders
    user_service: UserService
    trusted_documents: TrustedDocuments
    documents: DocumentReader
    preflight: CommandPreflight
    selections: CommandSelections
    metrics: Metrics
    scraped_state: ScrapedState
    observation: Observation
    clock: Callable[[], datetime]
    sample_founder: User | None = None


class NotMigrated(OperatorError):
    """The database's tables aren't those that this version of Tether needs."""


@asynccontextmanager
async def running(settings: Settings, *, tracing: Tracing | None = None) -> AsyncIterator[Tether]:
    """Everything, open and informed by the feed for as long as the block lasts; closed in reverse order after it.

    Spans go to `tracing`, or else to where the settings say. The first start on an empty database stores a data key.
    Raises NotMigrated, EncryptionKeyMismatch, ServiceUnavailable, and OperatorError: the data keys can't be used,
    production's role in the database bypasses row security, or OpenTelemetry is missing.
    """
    metrics = Metrics()
    async with (
        _observation(settings, metrics, tracing) as observation,
        Database(settings.database_url, observation=observation) as database,
    ):
        await require_migrated(database)
        await _require_row_security(database, settings.environment)
        feed = EventFeed(database)
        units_of_work = SqlUnitsOfWork(database, feed.hint)
        key_provider = LocalKeyProvider(settings.encryption_key.key)
        key_ring = await _open_key_ring(units_of_work, key_provider)
        encryption = CredentialEncryption(key_ring)
        board = ServiceBoard(units_of_work)
        async with (
            aclosing(HttpClient(allow=settings.outbound_allow, observation=observation)) as http,
            _kept_running(feed),
            _kept_current(board),
            aclosing(
                IdentityProviders(
                    settings.identity.issuers, http.of("identity-provider"), measurements=observation.measurements
                )
            ) as identity_providers,
            aclosing(
                UserService(
                    units_of_work,
                    _now,
                    BearerTokens(identity_providers, Recognition(units_of_work, _now), _now, observation.measurements),
                )
            ) as user_service,
            aclosing(TrustedDocuments(units_of_work, _now)) as trusted_documents,
            sign_in_clients(settings, identity_providers, http, _now) as clients,
            aclosing(
                Sessions(units_of_work, _now, _session_lifetimes(settings), issuers_of_sessions(settings, clients))
            ) as sessions,
            _command_chooser(settings, observation) as chooser,
            AsyncExitStack() as closing,
        ):
            metrics.know_issuers(provider.issuer.id for provider in identity_providers)
            catalogue = _catalogue(settings, http)
            metrics.know_services(service.id for service in catalogue)
            health_checks = HealthCheckFactory(catalogue, _now, metrics)
            budgets = CallBudgets(units_of_work, catalogue, _now)
            refresher = CredentialRefresher(
                units_of_work,
                catalogue,
                CredentialVault(encryption),
                _now,
                board=board,
                budgets=budgets,
                measurements=metrics,
            )
            states = ConnectionStateReader(database)
            preflight = CommandPreflight(states, catalogue, board, _now)
            repository_sync = RepositorySync(units_of_work, catalogue, refresher, _now)
            commands = CommandRuns(
                units_of_work,
                CommandAdmission(catalogue, budgets, board, _now),
                refresher,
                CredentialVault(encryption),
                _now,
                measurements=metrics,
            )
            closing.push_async_callback(_close_calls, commands, refresher)
            yield Tether(
                settings=settings,
                database=database,
                units_of_work=units_of_work,
                feed=feed,
                http=http,
                catalogue=catalogue,
                board=board,
                budgets=budgets,
                operation_budgets=OperationBudgets(units_of_work, _operation_allowance(settings)),
                key_provider=key_provider,
                key_ring=key_ring,
                encryption=encryption,
                health_checks=health_checks,
                manager=ServiceConnectionManager(
                    units_of_work, catalogue, health_checks, encryption, refresher, _now, board=board
                ),
                refresher=refresher,
                repositories=RepositoryManager(units_of_work, repository_sync, _now),
                commands=commands,
                repository_sync=repository_sync,
                authorization_flows=AuthorizationFlows(
                    units_of_work,
                    catalogue,
                    ConnectionChecks(catalogue, health_checks, _now, random.random),
                    CredentialVault(encryption),
                    _now,
                    public_url=settings.public_url,
                    return_to_allowed=settings.return_to,
                ),
                sessions=sessions,
                sign_in=SignIn(
                    units_of_work,
                    clients,
                    Recognition(units_of_work, _now),
                    sessions,
                    CredentialVault(encryption),
                    _now,
                    settings.public_url,
                ),
                webhooks=WebhookProcessing(units_of_work, catalogue, _now),
                identity_providers=identity_providers,
                user_service=user_service,
                trusted_documents=trusted_documents,
                documents=DocumentReader(
                    database,
                    ServiceDocuments(catalogue, settings.public_url, board),
                    _now,
                    largest_page=settings.limits.page_size,
                ),
                preflight=preflight,
                selections=CommandSelections(preflight, states, chooser),
                metrics=metrics,
                scraped_state=ScrapedState(metrics, database, feed, _now),
                observation=observation,
                clock=_now,
            )


async def require_migrated(database: Database) -> str:
    """The revision that the database is at, which is the newest. Raises NotMigrated for every other one."""
    revision, head = await database.migration_revision(), migrations.head()
    if revision is None:
        raise NotMigrated("The database has no tables of Tether yet. Create them with `tether migrate`.")
    if revision != head:
        raise NotMigrated(
            f"The database is at revision {revision}, but this version of Tether needs {head}. Run `tether migrate`, "
            "or the version of Tether that belongs to the database if that one is newer."
        )
    return revision


async def _require_row_security(database: Database, environment: Environment) -> None:
    """Production doesn't start without PostgreSQL's net below each statement; development is told."""
    if not await database.bypasses_row_security():
        return
    if environment is Environment.PRODUCTION:
        raise OperatorError(BYPASSES_ROW_SECURITY)
    _log.warning(BYPASSES_ROW_SECURITY)


async def read_key_ring(units_of_work: UnitsOfWork, provider: KeyProvider) -> KeyRing | None:
    """The stored data keys, opened; None where there are none. Raises EncryptionKeyMismatch and OperatorError."""
    async with units_of_work.reading_everywhere() as unit:
        data_keys = await unit.data_keys.list()
    if not data_keys:
        return None
    try:
        return KeyRing(data_keys, provider)
    except ValueError as wrong:
        raise OperatorError(f"The table data_keys was altered: {wrong} Restore it from a backup.") from wrong


async def _open_key_ring(units_of_work: UnitsOfWork, provider: KeyProvider) -> KeyRing:
    """The stored data keys, opened; on an empty table the first one is made."""
    key_ring = await read_key_ring(units_of_work, provider)
    while key_ring is None:
        async with units_of_work.writing_everywhere() as unit:
            # Where another process was first, its key stays and this one is forgotten.
            await unit.data_keys.add(KeyRing.generate(provider))
            await unit.commit()
        key_ring = await read_key_ring(units_of_work, provider)
    return key_ring


async def _close_calls(commands: CommandRuns, refresher: CredentialRefresher) -> None:
    """Beside each other, since a shutdown has no time for one after the other."""
    await asyncio.gather(commands.aclose(), refresher.aclose())


def _session_lifetimes(settings: Settings) -> SessionLifetimes:
    return SessionLifetimes(timedelta(hours=settings.session_idle_hours), timedelta(days=settings.session_days))


def _operation_allowance(settings: Settings) -> OperationAllowance:
    return OperationAllowance(settings.limits.budget_points, settings.limits.budget_points_per_minute)


def _catalogue(settings: Settings, http: HttpClient) -> ServiceCatalogue:
    services = settings.services
    return ServiceCatalogue(
        [
            GitHub(
                http.of(GitHub.id),
                services.github_api_url,
                services.github_url,
                _now,
                client=services.github_client,
                app=services.github_app,
                webhook_secrets=services.github_webhook_secrets,
            ),
            Slack(
                http.of(Slack.id),
                services.slack_api_url,
                services.slack_url,
                _now,
                client=services.slack_client,
                signing_secrets=services.slack_signing_secrets,
            ),
            GitLab(
                http.of(GitLab.id),
                f"{services.gitlab_url}/api/v4",
                services.gitlab_url,
                _now,
                client=services.gitlab_client,
                webhook_secrets=services.gitlab_webhook_secrets,
            ),
            *(GenericService(http.of(description.id), description, _now) for description in services.described),
        ]
    )


@asynccontextmanager
async def _command_chooser(settings: Settings, observation: Observation) -> AsyncIterator[CommandChooser]:
    """The operator's language model where there is one, by a client that reaches nothing else; else words."""
    endpoint, by_words = settings.command_chooser, WordChooser()
    if endpoint is None:
        yield by_words
        return
    client = HttpClient(allow=endpoint.allow, limits=LIMITS, observation=observation)
    async with aclosing(client) as http:
        yield LanguageModelChooser(http.of("command-chooser"), endpoint.url, endpoint.token, by_words)


@asynccontextmanager
async def _observation(settings: Settings, metrics: Metrics, tracing: Tracing | None) -> AsyncIterator[Observation]:
    async with tracing_to(settings.tracing) if tracing is None else nullcontext(tracing) as chosen:
        yield Observation(metrics, chosen)


@asynccontextmanager
async def _kept_running(feed: EventFeed) -> AsyncIterator[None]:
    """Runs the feed beside the block. Should it fail, which it isn't meant to, it is reported and run again."""

    async def run() -> None:
        while True:
            try:
                await feed.run()
            except Exception:  # noqa: BLE001 - whatever it is, other subscriptions depend on it
                _log.exception("The event feed failed and is started again.")
                await asyncio.sleep(_FEED_RESTART_SECONDS)

    task = asyncio.create_task(run(), name="event feed")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _kept_current(board: ServiceBoard) -> AsyncIterator[None]:
    """Refreshes the board beside the block."""
    task = asyncio.create_task(board.keep_current(), name="board of services")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _now() -> datetime:
    return datetime.now(UTC)
