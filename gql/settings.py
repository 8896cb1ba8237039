"""Settings: everything an operator can set, read once from the environment and checked before anything is opened.

Called by the command line. `SettingsError` tells all that is wrong at once, each problem with its variable's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self
from urllib.parse import urlsplit

from domain.address_guard import OutboundAllow
from domain.key_ring import EncryptionKey, parse_key
from domain.secret import Secret
from gql.browser_settings import BROWSER_VARIABLES, BrowserSettings
from gql.chooser_settings import CHOOSER_VARIABLES, ChooserEndpoint
from gql.identity_settings import ISSUERS, IdentitySettings
from gql.limit_settings import LIMIT_VARIABLES, Limits
from gql.log import LogFormat
from gql.operator_error import OperatorError
from gql.service_settings import SERVICE_VARIABLES, ServiceSettings
from gql.settings_reader import LOOPBACK, SettingsReader, Switch, absolute_url
from gql.trusted_proxies import TrustedProxies
from persistence.database_url import parse_database_url

KNOWN: Final = (
    "TETHER_ENVIRONMENT",
    "TETHER_DATABASE_URL",
    "TETHER_ENCRYPTION_KEY",
    "TETHER_ENCRYPTION_KEY_FILE",
    "TETHER_PUBLIC_URL",
    ISSUERS,
    "TETHER_SESSION_IDLE_HOURS",
    "TETHER_SESSION_DAYS",
    "TETHER_DEVELOPMENT_ISSUER",
    "TETHER_RETURN_TO",
    *BROWSER_VARIABLES,
    "TETHER_TRUSTED_PROXIES",
    "TETHER_OUTBOUND_ALLOW",
    *CHOOSER_VARIABLES,
    "TETHER_CHECKS_KEPT_DAYS",
    "TETHER_EVENTS_KEPT_DAYS",
    "TETHER_AUDIT_KEPT_DAYS",
    "TETHER_COMMAND_RUNS_KEPT_DAYS",
    "TETHER_METRICS_TOKEN",
    "TETHER_METRICS_TOKEN_FILE",
    "TETHER_LOG_FORMAT",
    "TETHER_TRACING",
    "TETHER_TRUSTED_DOCUMENTS",
    *SERVICE_VARIABLES,
    *LIMIT_VARIABLES,
)
"""Every variable that Tether reads, beside those of each issuer (`IdentitySettings.variables`)."""

SHORTEST_METRICS_TOKEN: Final = 16


class Environment(StrEnum):
    """Development may offer a sample organization and sign GraphiQL in; production does neither."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class TracingTarget(StrEnum):
    """Where traces go: nowhere, or to a collector by OpenTelemetry's protocol."""

    OFF = "off"
    OTLP = "otlp"


class TrustedDocumentsMode(StrEnum):
    """Which operations are answered: texts alone; texts, and documents by their ids; published documents alone."""

    OFF = "off"
    ALLOW = "allow"
    REQUIRE = "require"


class SettingsError(OperatorError):
    """Some variables can't be used. No problem repeats what may be secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. URLs end without a slash; the database's may hold a password."""

    environment: Environment
    database_url: str = field(repr=False)
    encryption_key: EncryptionKey
    public_url: str
    return_to: tuple[str, ...]
    """Where browsers may be sent when they come back from a service: these very addresses."""
    identity: IdentitySettings
    browsers: BrowserSettings
    trusted_proxies: TrustedProxies
    services: ServiceSettings
    outbound_allow: OutboundAllow
    command_chooser: ChooserEndpoint | None
    """The operator's language model, which says which command a text asks for."""
    session_idle_hours: int
    """How long a browser stays signed in that isn't used."""
    session_days: int
    """How long at most."""
    development_issuer: bool
    """Whether development's built-in identity provider is there, which asks nobody for a password."""
    checks_kept_days: int
    """Each check for so long; what is counted of its day is kept longer."""
    events_kept_days: int
    audit_kept_days: int
    command_runs_kept_days: int
    metrics_token: Secret | None
    """What the metrics are read with; without one only this machine may."""
    log_format: LogFormat
    tracing: TracingTarget
    trusted_documents: TrustedDocumentsMode
    limits: Limits

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError. A variable that is empty counts as not set."""
        reader = SettingsReader(environ)
        environment = _environment(reader)
        production = environment is Environment.PRODUCTION
        allow = reader.optional("TETHER_OUTBOUND_ALLOW", OutboundAllow.parse, "")
        database_url, encryption_key = _database_url(reader), _encryption_key(reader, production)
        public_url = _public_url(reader, production)
        settings = cls(
            environment=environment,
            database_url=database_url,
            encryption_key=encryption_key,
            public_url=public_url,
            return_to=reader.optional("TETHER_RETURN_TO", lambda text: _return_to(text, production), ""),
            identity=IdentitySettings.read(reader, allow, production=production),
            browsers=BrowserSettings.read(reader, production=production),
            trusted_proxies=reader.optional("TETHER_TRUSTED_PROXIES", TrustedProxies.parse, ""),
            services=ServiceSettings.read(reader, allow),
            outbound_allow=allow,
            command_chooser=ChooserEndpoint.read(reader, allow),
            session_idle_hours=reader.whole_number("TETHER_SESSION_IDLE_HOURS", "hours", 12, _IDLE_HOURS),
            session_days=reader.whole_number("TETHER_SESSION_DAYS", "days", 7, _SESSION_DAYS),
            development_issuer=_development_issuer(reader, public_url, production),
            checks_kept_days=reader.days("TETHER_CHECKS_KEPT_DAYS", 7, at_least=_LEAST_CHECKS_KEPT_DAYS),
            events_kept_days=reader.days("TETHER_EVENTS_KEPT_DAYS", 90, at_least=_LEAST_EVENTS_KEPT_DAYS),
            audit_kept_days=reader.days("TETHER_AUDIT_KEPT_DAYS", 400, at_least=_LEAST_AUDIT_KEPT_DAYS),
            command_runs_kept_days=reader.days(
                "TETHER_COMMAND_RUNS_KEPT_DAYS", 90, at_least=_LEAST_COMMAND_RUNS_KEPT_DAYS
            ),
            metrics_token=_metrics_token(reader),
            log_format=reader.one_of("TETHER_LOG_FORMAT", LogFormat, LogFormat.chosen(reader.environ)),
            tracing=reader.one_of("TETHER_TRACING", TracingTarget, TracingTarget.OFF),
            trusted_documents=reader.one_of(
                "TETHER_TRUSTED_DOCUMENTS", TrustedDocumentsMode, TrustedDocumentsMode.ALLOW
            ),
            limits=Limits.read(reader),
        )
        reader.refuse_unknown((*KNOWN, *settings.identity.variables))
        if reader.problems:
            raise SettingsError(*reader.problems)
        return settings


def _environment(reader: SettingsReader) -> Environment:
    text = reader.text("TETHER_ENVIRONMENT") or Environment.PRODUCTION
    if text in set(Environment):
        return Environment(text)
    reader.problems.append(f"TETHER_ENVIRONMENT: Write development or production, not {text[:40]!r}.")
    return Environment.DEVELOPMENT  # asks for less, so that one mistake isn't told as two


def _database_url(reader: SettingsReader) -> str:
    text = reader.text("TETHER_DATABASE_URL")
    if text is None:
        reader.problems.append(
            "TETHER_DATABASE_URL isn't set. Write sqlite+aiosqlite:///path/to/file "
            "or postgresql+asyncpg://user:password@host/database."
        )
        return ""
    try:
        parse_database_url(text)
    except ValueError as wrong:
        reader.problems.append(f"TETHER_DATABASE_URL: {wrong}")
    return text


def _encryption_key(reader: SettingsReader, production: bool) -> EncryptionKey:
    if not reader.is_set("TETHER_ENCRYPTION_KEY"):
        reader.problems.append(
            "TETHER_ENCRYPTION_KEY or TETHER_ENCRYPTION_KEY_FILE has to be set. `tether keys generate` makes a "
            "key: keep it safe, since nothing else opens the stored credentials."
        )
    name, text = reader.secret("TETHER_ENCRYPTION_KEY")
    if text is not None:
        try:
            key = parse_key(text)
        except ValueError as wrong:
            reader.problems.append(f"{name}: {wrong} `tether keys generate` makes one.")
        else:
            if not (key.development and production):
                return key
            reader.problems.append(
                f"{name}: This key was made for development, which production refuses. "
                "Make another one with `tether keys generate`."
            )
    return EncryptionKey(b"", development=True)


def _public_url(reader: SettingsReader, production: bool) -> str:
    if production and reader.text("TETHER_PUBLIC_URL") is None:
        reader.problems.append(
            "TETHER_PUBLIC_URL isn't set. Write the address at which people reach this server, "
            "such as https://tether.example.com."
        )
        return ""
    return reader.optional("TETHER_PUBLIC_URL", lambda text: _browser_url(text, production), "http://127.0.0.1:8000")


def _development_issuer(reader: SettingsReader, public_url: str, production: bool) -> bool:
    """On by itself on a developer's machine. Nothing switches it on where anybody else could reach it."""
    name = "TETHER_DEVELOPMENT_ISSUER"
    url = urlsplit(public_url)
    possible = not production and url.scheme == "http" and url.hostname in LOOPBACK
    wanted = reader.one_of(name, Switch, Switch.ON if possible else Switch.OFF)
    if wanted is Switch.ON and production:
        reader.problems.append(f"{name}: It signs in whoever comes, without a password: production refuses it.")
    elif wanted is Switch.ON and not possible:
        reader.problems.append(f"{name}: It needs a TETHER_PUBLIC_URL of this machine, such as http://127.0.0.1:8000.")
    return possible and wanted is Switch.ON


def _return_to(text: str, production: bool) -> tuple[str, ...]:
    """Addresses with commas between, each kept as it is written. Raises ValueError."""
    addresses = tuple(each.strip() for each in text.split(",") if each.strip())
    for address in addresses:
        _browser_url(address, production)
    return addresses


def _browser_url(text: str, production: bool) -> str:
    """An address that people's browsers go to. Raises ValueError."""
    url = absolute_url(text)
    if production and url.scheme != "https" and url.hostname not in LOOPBACK:
        raise ValueError("Write https://…: in production, http:// is only for this machine itself (http://127.0.0.1).")
    return url.geturl()


_IDLE_HOURS: Final = range(1, 24 * 30 + 1)
_SESSION_DAYS: Final = range(1, 365 + 1)
_LEAST_CHECKS_KEPT_DAYS: Final = 2  # a day is counted after its end, from its checks
_LEAST_EVENTS_KEPT_DAYS: Final = 30  # as long as webhooks: an event says that one has been applied
_LEAST_COMMAND_RUNS_KEPT_DAYS: Final = 30  # what a connection was used for lately is told of so long
_LEAST_AUDIT_KEPT_DAYS: Final = 90  # what is looked into later than that isn't rare


def _metrics_token(reader: SettingsReader) -> Secret | None:
    name, text = reader.secret("TETHER_METRICS_TOKEN")
    if text is not None and len(text) < SHORTEST_METRICS_TOKEN:
        reader.problems.append(f"{name}: Write at least {SHORTEST_METRICS_TOKEN} characters, such as 32 random ones.")
    return None if text is None else Secret(text)
