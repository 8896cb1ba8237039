"""The schema's enums: the domain's own, described for clients, and those that only requests use.

Used by the other types. Importing this module makes the domain's enums known to Strawberry.
"""

from enum import StrEnum

from domain.command_availability import ReasonCode
from domain.command_selector import Criterion
from domain.connection_deletion import SecretFate
from domain.entities.audit import AuditAction
from domain.entities.command_run import CommandRunStatus
from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import CredentialKind
from domain.entities.event import ActorKind, ConnectionEventType
from domain.entities.health import HealthCheckTrigger, HealthStatus, ProbeOutcome, Remedy
from domain.entities.service_incident import ServiceStatus
from domain.entities.user import Role
from domain.services.authorization import AuthorizationMethod
from domain.services.commands import TargetKind
from gql.types.described import described
from persistence.documents.series_buckets import SeriesBucket

described(
    Role,
    "What a member may do. Each role includes those below it.",
    {
        Role.OWNER: "Manages people and keys, and all that an admin does.",
        Role.ADMIN: "Creates, changes and deletes connections, and all that a member does.",
        Role.MEMBER: "Checks health, and all that a viewer does.",
        Role.VIEWER: "Reads.",
    },
)
described(
    ConnectionStatus,
    "Where a connection is in its life.",
    {
        ConnectionStatus.PENDING: "Waits for its first passing check.",
        ConnectionStatus.ACTIVE: "In use.",
        ConnectionStatus.INACTIVE: "Paused by a member, or suspended by the service.",
        ConnectionStatus.EXPIRED: "The service refuses the credential. Ends only by a new credential.",
        ConnectionStatus.REVOKED: "The service withdrew the grant. Ends only by a new credential.",
        ConnectionStatus.ERROR: "Several checks in a row have failed. Heals by itself with the next passing one.",
    },
)
described(
    SecretFate,
    "What becomes, or in a dry run would become, of a deleted connection's secret at its service. Tether forgets it in "
    "any case.",
    {
        SecretFate.REVOKED: "The service has forgotten it, too.",
        SecretFate.NOT_REVOCABLE: "Only whoever made it can revoke it: a personal token, or an app's installation.",
        SecretFate.IN_USE: "Another connection lives by the very same one, so it stays.",
        SecretFate.PENDING: "The service couldn't do it now. It is asked again for a week.",
        SecretFate.UNKNOWN: "What was stored doesn't open, so the service can't be asked. Revoke it there.",
    },
)
described(
    ReasonCode,
    "Why a command can't be run through a connection, or may soon not be.",
    {
        ReasonCode.ROLE_TOO_SMALL: "It takes a greater role than the viewer's.",
        ReasonCode.SERVICE_DOWN: "The service itself is down, for everybody.",
        ReasonCode.NOT_CONNECTED: "The organization has no connection to the service.",
        ReasonCode.STATUS: "The connection isn't ACTIVE.",
        ReasonCode.CREDENTIAL_MISSING: "The connection has no credential.",
        ReasonCode.CREDENTIAL_EXPIRED: "Its credential has ended, and no refresh helps.",
        ReasonCode.CREDENTIAL_EXPIRING: "Its credential ends for good within 7 days. A warning.",
        ReasonCode.SCOPES_MISSING: "Its credential lacks a scope or permission that the command needs.",
        ReasonCode.QUOTA_USED_UP: "The service takes no more calls for now.",
        ReasonCode.UNHEALTHY: "Its latest check failed. A warning.",
        ReasonCode.DEGRADED: "Its latest check found something that needs attention. A warning.",
        ReasonCode.REPOSITORY_UNREACHABLE: "The repository isn't among those that it reaches.",
    },
)
described(
    Criterion,
    "By what one command through one connection is put before another: the first of these in which they differ.",
    {
        Criterion.EXPLICIT: "Its connection was named.",
        Criterion.FIT: "Its command fits the text better.",
        Criterion.BOUND: "Its connection is bound to the repository or channel.",
        Criterion.HEALTH: "Its connection is healthier.",
        Criterion.QUOTA: "Its connection has more of its quota left, in tenths.",
        Criterion.RECENTLY_USED: "Its connection was used more recently.",
        Criterion.ARGUMENTS: "Fewer of its arguments are missing.",
        Criterion.ID: "Nothing else: so that the answer is the same each time.",
    },
)
described(
    HealthStatus,
    "How a connection is, as the latest check saw it.",
    {
        HealthStatus.UNKNOWN: "Not checked yet.",
        HealthStatus.HEALTHY: "Every probe passed.",
        HealthStatus.DEGRADED: "It works, but something needs attention, or the service limits our rate.",
        HealthStatus.UNHEALTHY: "A probe failed.",
    },
)
described(
    HealthCheckTrigger,
    "Why a check ran.",
    {
        HealthCheckTrigger.SCHEDULE: "It was due.",
        HealthCheckTrigger.MANUAL: "Somebody asked for it.",
        HealthCheckTrigger.WEBHOOK: "The service reported something.",
        HealthCheckTrigger.USE: "A real call to the service told.",
        HealthCheckTrigger.CONNECT: "A credential was new.",
    },
)
described(
    ProbeOutcome,
    "What one probe found.",
    {
        ProbeOutcome.PASSED: "All is well.",
        ProbeOutcome.WARNED: "It works, but needs attention.",
        ProbeOutcome.FAILED: "It doesn't work.",
        ProbeOutcome.SKIPPED: "Not asked, since an earlier probe left nothing to ask.",
    },
)
described(
    Remedy,
    "What a person can do about it.",
    {
        Remedy.WAIT: "Nothing: it ends by itself.",
        Remedy.RECONNECT: "Give a new credential.",
        Remedy.GRANT_SCOPES: "Grant the missing scopes at the service.",
        Remedy.RAISE_LIMIT: "Use less of the service's quota, or ask the service for more.",
        Remedy.CONTACT_ADMIN: "Ask an administrator at the service, or of Tether.",
        Remedy.FIX_SETTINGS: "Correct the connection's settings.",
        Remedy.NONE: "Nothing needs to be done.",
    },
)
described(
    CredentialKind,
    "What sort of secret a credential is.",
    {
        CredentialKind.OAUTH2: "An OAuth 2 access token, perhaps with a refresh token.",
        CredentialKind.GITHUB_APP: "A GitHub App's installation with its private key.",
        CredentialKind.TOKEN: "A token that a person has made at the service.",
    },
)
described(
    ActorKind,
    "What sort of cause is behind an event.",
    {
        ActorKind.USER: "A signed-in person.",
        ActorKind.API_KEY: "An API key, on behalf of its user.",
        ActorKind.SCHEDULER: "Tether itself, by schedule.",
        ActorKind.SERVICE: "The outside service, by a webhook.",
        ActorKind.OPERATOR: "Whoever runs Tether, at its command line.",
    },
)
described(
    ConnectionEventType,
    "What happened to a connection. Each says what `ConnectionEvent.data` holds.",
    {
        ConnectionEventType.CREATED: 'It was created. Data: {"name", "service"}.',
        ConnectionEventType.UPDATED: "Its name, labels, settings or the choice of a repository were changed, or a "
        'member paused what the service suspends. Data: {"changed": ["name", …]}; of a repository, {"changed": '
        '["repositories"], "repository", "selected"}; of such a pause, {"changed": ["statusReason"]}.',
        ConnectionEventType.AUTHORIZED: "It was authorized in the browser. Data: "
        '{"method", "account", "previousAccount"}; the last is null for a new one.',
        ConnectionEventType.STATUS_CHANGED: "Its status changed; see `status`.",
        ConnectionEventType.HEALTH_CHANGED: 'Its health changed; see `health`. Data: {"from", "to"}.',
        ConnectionEventType.HEALTH_CHECKED: "Its health was checked; see `health`. Of scheduled checks, "
        "those are told that find something else than the one before.",
        ConnectionEventType.CREDENTIALS_ROTATED: 'It has a new credential. Data: {"generation", "fingerprint"}.',
        ConnectionEventType.CREDENTIALS_EXPIRING: "Its credential, or the refresh token by which that is "
        'renewed, ends soon: only reconnecting helps. Data: {"expiresAt", "days"}.',
        ConnectionEventType.REPOSITORIES_SYNCED: "All of its repositories were compared with the service's. "
        'Data: {"added", "updated", "removed", "unchanged"}.',
        ConnectionEventType.WEBHOOK_RECEIVED: "The service reported something.",
        ConnectionEventType.COMMAND_RUN: "A command was run through it, and has ended, or nobody knows whether it was "
        'done. Data: {"runId", "command", "status", "durationMs", "code", "url"}; the code is of `CommandRun.error`.',
        ConnectionEventType.SERVICE_STATUS_CHANGED: "Its service itself is down, or back: one event for all "
        'connections to it. Data: {"service", "status", "code", "message", "startedAt", "endedAt", "connections"}, the '
        "last of them how many are concerned.",
        ConnectionEventType.DELETED: 'It was deleted. Data: {"name", "service"}.',
    },
)
described(
    AuditAction,
    "What somebody did. Each says what `AuditRecord.data` holds; that of an event has `eventId`, too, and what "
    "`ConnectionEventType` says.",
    {
        AuditAction.SIGNED_IN: "A person signed in.",
        AuditAction.SIGNED_OUT: "A person signed out.",
        AuditAction.ORGANIZATION_CREATED: 'The organization was created. Data: {"slug"}.',
        AuditAction.ORGANIZATION_UPDATED: "Its name, or how often its connections are checked, was changed. Data: "
        '{"from": {"name", …}, "to": {…}}.',
        AuditAction.MEMBER_INVITED: 'Somebody was invited by their e-mail address. Data: {"role"}.',
        AuditAction.INVITATION_WITHDRAWN: 'An invitation was withdrawn, "by" a removal perhaps. Data: {"role", "by"}.',
        AuditAction.MEMBER_JOINED: 'Somebody became a member. Data: {"role", "by"}.',
        AuditAction.MEMBER_UPDATED: 'A member\'s role was changed. Data: {"role", "from" or "by"}.',
        AuditAction.MEMBER_REMOVED: 'A member was removed, or left. Data: {"role"}.',
        AuditAction.API_KEY_CREATED: 'An API key was created. Data: {"role", "user"}.',
        AuditAction.API_KEY_REVOKED: 'An API key was revoked, "by" a removal perhaps. Data: {"role", "user", "by"}.',
        AuditAction.AUTHORIZATION_BEGUN: 'Somebody was sent to a service to authorize. Data: {"service", "method"}.',
        AuditAction.CONNECTION_CREATED: "A connection was created.",
        AuditAction.CONNECTION_UPDATED: "A connection was changed.",
        AuditAction.CONNECTION_AUTHORIZED: "A connection was authorized in the browser.",
        AuditAction.CONNECTION_STATUS_CHANGED: "A connection's status changed by what somebody did. Data: "
        '{"from", "to", "reason"}; the last is a code, or null.',
        AuditAction.CONNECTION_HEALTH_CHANGED: "Somebody's check, or other call to the service, found its health "
        "changed.",
        AuditAction.CONNECTION_HEALTH_CHECKED: 'Somebody had its health checked. Data: {"healthCheckId"}.',
        AuditAction.CONNECTION_CREDENTIALS_ROTATED: "Its credential was replaced or refreshed.",
        AuditAction.CONNECTION_REPOSITORIES_SYNCED: "Somebody had its repositories compared with the service's. "
        'Data, where that has not come to its end: {"complete": false, …, "failure"}; the last is a code, or null.',
        AuditAction.CONNECTION_COMMAND_RUN: "A command was run through it.",
        AuditAction.CONNECTION_DELETED: "A connection was deleted.",
    },
)
described(
    CommandRunStatus,
    "How far the run of a command has come.",
    {
        CommandRunStatus.QUEUED: "It waits for its turn.",
        CommandRunStatus.RUNNING: "The service is being called.",
        CommandRunStatus.SUCCEEDED: "It was done.",
        CommandRunStatus.FAILED: "It wasn't done; see `error`.",
        CommandRunStatus.UNKNOWN: "Nobody knows whether it was done; see `error`. It isn't run again by itself: "
        "look at the service first.",
    },
)
described(
    TargetKind,
    "What commands act on, where that is something that connections can be bound to.",
    {
        TargetKind.REPOSITORY: "A repository, named by its full name, such as `acme/shop`.",
        TargetKind.CHANNEL: "A channel, named by its id.",
    },
)
described(
    ServiceStatus,
    "How a service is, for everybody.",
    {
        ServiceStatus.OPERATIONAL: "It answers.",
        ServiceStatus.DOWN: "Most checks fail in the same way: it is the service, and not its connections.",
    },
)
described(
    AuthorizationMethod,
    "How a team can connect a service.",
    {
        AuthorizationMethod.OAUTH2: "By the service's consent page.",
        AuthorizationMethod.GITHUB_APP: "By an installed GitHub App and its private key.",
        AuthorizationMethod.TOKEN: "By a token made at the service.",
    },
)


class ServiceConnectionOrderField(StrEnum):
    """What a list of connections can be ordered by."""

    CREATED_AT = "CREATED_AT"
    NAME = "NAME"
    STATUS_CHANGED_AT = "STATUS_CHANGED_AT"
    CHECKED_AT = "CHECKED_AT"


class OrderDirection(StrEnum):
    """Which way a list is ordered."""

    ASC = "ASC"
    DESC = "DESC"


described(
    ServiceConnectionOrderField,
    "What a list of connections is ordered by.",
    {
        ServiceConnectionOrderField.CREATED_AT: "When they were created.",
        ServiceConnectionOrderField.NAME: "Their names, upper and lower case alike.",
        ServiceConnectionOrderField.STATUS_CHANGED_AT: "When their status changed last.",
        ServiceConnectionOrderField.CHECKED_AT: "When they were last checked; never comes first.",
    },
)
described(
    OrderDirection,
    "Which way a list is ordered.",
    {
        OrderDirection.ASC: "Smallest, earliest or first in the alphabet first.",
        OrderDirection.DESC: "Largest, latest or last in the alphabet first.",
    },
)
described(
    SeriesBucket,
    "How long each point of a series is.",
    {
        SeriesBucket.HOUR: "An hour.",
        SeriesBucket.DAY: "A day in UTC.",
        SeriesBucket.WEEK: "A week in UTC, from Monday on.",
    },
)
