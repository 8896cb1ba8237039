"""A small, varied world, the same each time: rows by the names of their tables. Called by data.py.

Times tie and end in zeros, names need escaping, what may be null is null somewhere.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.entities.health import HealthStatus, Remedy
from domain.entities.health_day import HealthDay
from domain.entities.text import search_key
from domain.health_days import CheckFound, DayCounter, day_of

NOW = datetime(2026, 11, 23, 7, 30, 0, 120_000, UTC)
Row = dict[str, Any]

ROLES = ["OWNER", "ADMIN", "MEMBER", "VIEWER"]
STATUSES = ["PENDING", "ACTIVE", "INACTIVE", "EXPIRED", "REVOKED", "ERROR"]
HEALTH = ["UNKNOWN", "HEALTHY", "DEGRADED", "UNHEALTHY"]
TRIGGERS = ["SCHEDULE", "MANUAL", "WEBHOOK", "USE", "CONNECT"]
EVENTS = [
    *("CREATED", "UPDATED", "AUTHORIZED", "STATUS_CHANGED", "HEALTH_CHANGED", "HEALTH_CHECKED", "DELETED"),
    *("CREDENTIALS_ROTATED", "CREDENTIALS_EXPIRING", "REPOSITORIES_SYNCED", "WEBHOOK_RECEIVED", "COMMAND_RUN"),
]
COMMANDS = ["github.create_issue", "github.list_repositories", "slack.post_message", "github.no_longer_there"]
RUNS = ["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN"]
ACTIONS = ["SIGNED_IN", "MEMBER_JOINED", "API_KEY_CREATED", "CONNECTION_CREATED", "CONNECTION_DELETED"]
NAMES = [
    *("Octo", "octo-deploy", 'O\'Brien "the" quoted', "back\\slash\\n", "🚀 launch 👩‍🚀", "line\u2028and\u2029ends"),
    *(
        "İstanbul",
        "Straße",
        "STRASSEN",
        "e\u0301clair",
        "Éclairs",
        "~tilde~ ~",
        "100 % {row} $1 ?1 :name",
        "ﬁn",
        "Ωμέγα",
    ),
    *("</script><b>", "ÅNGSTRÖM", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "'; drop table users; --", "a"),
]
REMEDIES = [remedy.value for remedy in Remedy]
DOCUMENTS: list[Any] = [
    {},
    {"deep": {"er": [1, {"est": [None, True, "ü\u2028'\"\\"]}]}, "number": 12345678901234567, "half": 0.5, "": "empty"},
    {"name": "Octo", "service": "github"},
    {"🚀": "emoji key", "quote'\"": "İ", "list": [[], {}, [[0]]]},
]
LABELS = [{}, {"team": "platform"}, {"team": "platform", "tier": "1"}, {"quote'\"\\": "ü\u2028🚀", "team": "Straße"}]


def make_rows() -> dict[str, list[Row]]:
    """All rows, in the order in which they refer to each other."""
    maker = _Maker(random.Random(20261123))  # noqa: S311 - a world, not a secret
    maker.make()
    return maker.rows


class _Maker:
    """Makes the rows, table by table, in the order in which they refer to each other."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.rows: dict[str, list[Row]] = {}
        # few different moments, so that many rows share one; some end in zeros, some have no fraction
        self.moments = [
            NOW - timedelta(hours=hours, microseconds=microseconds)
            for hours, microseconds in [
                (1, 0),
                (1, 1),
                (5, 20_000),
                (30, 120_000),
                (30, 120_001),
                (200, 999_999),
                (900, 5),
            ]
        ]

    def make(self) -> None:
        self._people()
        for organization, sizes in zip(self.rows["organizations"], [(46, 5), (7, 1), (3, 0), (0, 0)], strict=True):
            self._connections(organization, *sizes)
            self._events(organization)
            self._runs(organization)
        for organization, number in zip(self.rows["organizations"], (60, 9, 2, 0), strict=True):
            for _ in range(number):
                self._audit_record(organization)
        self._invitations()

    def id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def moment(self) -> datetime:
        return self.chance.choice(self.moments)

    def or_none(self, value: Any, likely: float = 0.6) -> Any:
        return value if self.chance.random() < likely else None

    def text(self) -> str:
        return self.chance.choice(NAMES)

    def add(self, table: str, **row: Any) -> Row:
        self.rows.setdefault(table, []).append(row)
        return row

    def _people(self) -> None:
        for number, slug in enumerate(["acme", "globex", "initech", "empty-inc"]):
            name = ['Acme "Inc." 🚀', "Globex\u2028", "Initech's", "Empty"][number]
            at = self.moments[number % 2]
            organization = self.id()
            self.add(
                "organizations",
                id=organization,
                slug=slug,
                name=name,
                created_at=at,
                updated_at=NOW,
                version=number + 1,
                check_interval_seconds=60 * (number + 1),
            )
            self.add("event_counters", organization_id=organization, epoch=number, sequence=0, pruned_sequence=0)
        for number in range(12):
            email = self.or_none(f"Person.{number}@Example.org")
            self.add(
                "users",
                id=self.id(),
                name=NAMES[number],
                email=email,
                email_key=email and search_key(email),
                avatar_url=self.or_none(f"https://avatars.example/{number}?a='b'&c=\"d\""),
                created_at=self.moment(),
            )
        # user 0 is in all, 1 to 4 have each role in the first, 5 to 7 are in others, 8 is nowhere, 9 to 11 are many
        in_organizations = [(0, 1, 2, 3), (0,), (0,), (0,), (0, 1), (1,), (1, 2), (3,), (), (0,), (0, 2), (0, 1)]
        for number, (user, places) in enumerate(zip(self.rows["users"], in_organizations, strict=True)):
            for place in places:
                self.add(
                    "memberships",
                    organization_id=self.rows["organizations"][place]["id"],
                    user_id=user["id"],
                    role=ROLES[(number + place + 3) % 4],
                    joined_at=self.moment(),
                )
        for number, membership in enumerate(self.rows["memberships"][:8]):
            self.add(
                "api_keys",
                organization_id=membership["organization_id"],
                id=self.id(),
                user_id=membership["user_id"],
                name=self.text(),
                role=ROLES[number % 4],
                secret_hash=bytes([number]) * 32,
                created_at=self.moment(),
                expires_at=self.or_none(NOW + timedelta(days=number)),
                revoked_at=self.or_none(self.moment(), 0.2),
                last_used_at=self.or_none(self.moment()),
                confined=number % 3 == 0,
            )

    def _connections(self, organization: Row, alive: int, deleted: int) -> None:
        for number in range(alive + deleted):
            # a deleted connection's name is free again, so it may be the same as one that is alive
            name = f"{NAMES[number % len(NAMES)]}{'' if number < len(NAMES) else f' {number // len(NAMES)}'}"
            if number >= alive:
                name = NAMES[number - alive]
            connection = self._connection(organization, name, number)
            connection["deleted_at"] = self.moment() if number >= alive else None
            self._checks(connection, self.chance.choice([0, 1, 3, 6]))
            self._days(connection)
            self._repositories(connection, self.chance.choice([0, 1, 5, 12, 20]))
            if number < alive and self.chance.random() < 0.8:
                self._credential(connection, number)

    def _connection(self, organization: Row, name: str, number: int) -> Row:
        reason = self.or_none(self.chance.choice(["PAUSED", "GITHUB_BAD_CREDENTIALS"]))
        account = self.or_none(f"account {number}")
        connection = self.add(
            "service_connections",
            organization_id=organization["id"],
            id=self.id(),
            service=self.chance.choice(["github", "slack"]),
            name=name,
            name_key=search_key(name),
            status=STATUSES[number % 6],
            status_reason_code=reason,
            status_reason_message=reason and self.text(),
            status_reason_remedy=reason and self.or_none(self.chance.choice(REMEDIES)),
            status_changed_at=self.moment(),
            account_id=account,
            account_name=account and self.text(),
            account_url=account and self.or_none("https://github.example/acme?x=%22"),
            account_avatar_url=account and self.or_none("https://avatars.example/acme"),
            required_scopes=self.chance.choice([[], ["repo"], ["repo", "read:org", "quote'\""]]),
            granted_scopes=self.chance.choice([[], ["repo"], ["ü", "chat:write"]]),
            missing_scopes=self.chance.choice([[], ["read:org"]]),
            health_status=HEALTH[number // 2 % 4],
            health_message=self.or_none(self.text()),
            health_consecutive_failures=number % 3,
            health_probes=self._probes(),
            labels=self.chance.choice(LABELS),
            settings=self.chance.choice(DOCUMENTS),
            version=number + 1,
            created_by=self.or_none(self.chance.choice(self.rows["users"])["id"], 0.8),
            created_at=self.moment(),
            updated_at=self.moment(),
        )
        self._health(connection, number)
        return connection

    def _health(self, connection: Row, number: int) -> None:
        limited = self.chance.random() < 0.6
        self.add(
            "connection_health",
            organization_id=connection["organization_id"],
            connection_id=connection["id"],
            service=connection["service"],
            checked_at=self.or_none(self.moment(), 0.7),
            next_check_at=self.or_none(NOW + timedelta(seconds=number)),
            latency_ms=self.or_none(number),
            rate_limit_limit=self.or_none(5000) if limited else None,
            rate_limit_remaining=self.or_none(0) if limited else None,
            rate_limit_reset_at=self.or_none(self.moment()) if limited else None,
            rate_limit_blocked_until=self.or_none(self.moment()) if limited else None,
        )

    def _probes(self) -> list[Row]:
        return [
            {
                "name": self.chance.choice(["authenticates", "scopes_suffice"]),
                "outcome": self.chance.choice(["PASSED", "WARNED", "FAILED", "SKIPPED"]),
                "code": "github_bad_credentials",
                "message": self.text(),
                "remedy": self.chance.choice(REMEDIES),
                "latency_ms": self.or_none(self.chance.randrange(900)),
                "evidence": self.or_none(self.chance.choice(DOCUMENTS)),
            }
            for _ in range(self.chance.choice([0, 1, 3]))
        ]

    def _checks(self, connection: Row, many: int) -> None:
        diagnosis: Row | None = None
        for _ in range(many):
            shared = diagnosis["id"] if diagnosis is not None and self.chance.random() < 0.5 else None
            check = self.add(
                "health_checks",
                organization_id=connection["organization_id"],
                id=self.id(),
                connection_id=connection["id"],
                status=self.chance.choice(HEALTH),
                verdict="PASSED",
                message=self.or_none(self.text()),
                started_at=self.moment(),
                latency_ms=self.chance.randrange(3_000),
                trigger=self.chance.choice(TRIGGERS),
                probes=[] if shared else self._probes(),
                diagnosis_id=shared,
            )
            diagnosis = diagnosis if shared else check

    def _days(self, connection: Row) -> None:
        """Of some connections days are counted, and of some of these the oldest checks are forgotten."""
        checks = [row for row in self.rows.get("health_checks", []) if row["connection_id"] == connection["id"]]
        checks.sort(key=lambda row: (row["started_at"], row["id"]))
        counted_until = day_of(NOW) - timedelta(days=self.chance.choice([0, 0, 0, 1, 9]))
        finished = [row for row in checks if row["started_at"] < counted_until]
        if not finished or self.chance.random() < 0.3:
            return
        counter = DayCounter(day_of(finished[0]["started_at"]))
        days: list[HealthDay] = []
        for row in finished:
            days += counter.add(
                CheckFound(row["id"], row["started_at"], HealthStatus(row["status"]), row["latency_ms"])
            )
        days += counter.finish(day_of(finished[-1]["started_at"]) + timedelta(days=1))
        for day in days[self.chance.choice([0, 0, 0, 3]) :]:
            self.add(
                "health_days",
                organization_id=connection["organization_id"],
                connection_id=connection["id"],
                ended_at=day.ended_at,
                ended_as=day.ended_as.value,
                up_microseconds=day.up // timedelta(microseconds=1),
                degraded_microseconds=day.degraded // timedelta(microseconds=1),
                down_microseconds=day.down // timedelta(microseconds=1),
                checks=day.checks,
                failures=day.failures,
                latencies={str(mark): count for mark, count in day.latencies.items()},
            )
        forgotten_before = NOW - timedelta(hours=self.chance.choice([30, 100, 2_000]))
        for row in finished:
            if row["started_at"] < min(forgotten_before, days[-1].ended_at):
                self.rows["health_checks"].remove(row)

    def _repositories(self, connection: Row, many: int) -> None:
        for number in range(many):
            full_name = f"{self.chance.choice(['acme', 'Acme', 'ÅCME'])}/{self.text()}"
            self.add(
                "repositories",
                organization_id=connection["organization_id"],
                id=self.id(),
                connection_id=connection["id"],
                external_id=f"R_{number}'\"",
                full_name=full_name,
                full_name_key=search_key(full_name),
                url=f"https://github.example/{number}",
                default_branch=self.or_none("main"),
                private=self.chance.random() < 0.5,
                archived=self.chance.random() < 0.3,
                selected=self.chance.random() < 0.5,
                synced_at=self.moment(),
            )

    def _credential(self, connection: Row, number: int) -> None:
        days = self.chance.choice([-1, 0, 3, 7, 8, 90])
        self.add(
            "service_credentials",
            organization_id=connection["organization_id"],
            id=self.id(),
            connection_id=connection["id"],
            kind=self.chance.choice(["OAUTH2", "GITHUB_APP", "TOKEN"]),
            sealed="v1.fake",
            key_id="0123456789abcdef",
            fingerprint=f"sha256:{number:012x}",
            scopes=self.or_none(self.chance.choice([[], ["repo", "ü'\""]])),
            expires_at=self.or_none(NOW + timedelta(days=days)),
            refresh_expires_at=self.or_none(NOW + timedelta(days=days + self.chance.choice([0, 2, 100]))),
            refreshable=self.chance.random() < 0.5,
            generation=number + 1,
            created_at=self.moment(),
            rotated_at=self.moment(),
            last_used_at=self.or_none(self.moment()),
        )

    def _audit_record(self, organization: Row) -> None:
        key = self.or_none(self.chance.choice(self.rows["api_keys"]), 0.3)
        user = key["user_id"] if key else self.or_none(self.chance.choice(self.rows["users"])["id"], 0.8)
        subject = self.or_none(self.chance.choice(self.rows["service_connections"])["id"])
        self.add(
            "audit_records",
            organization_id=organization["id"],
            id=self.id(),
            occurred_at=self.moment(),
            action=self.chance.choice(ACTIONS),
            actor_kind="API_KEY" if key else "USER" if user else "OPERATOR",
            actor_name=self.text(),
            actor_user_id=user,
            actor_api_key_id=key["id"] if key else None,
            address=self.or_none(self.chance.choice(["203.0.113.7", "2001:db8::7"])),
            request_id=self.or_none("0123456789abcdef"),
            subject_id=subject and f"conn_{subject}",
            subject_name=subject and self.text(),
            data=self.chance.choice(DOCUMENTS),
        )

    def _invitations(self) -> None:
        for number in range(9):
            email = f"Invited.{number}@Example.org"
            self.add(
                "invitations",
                organization_id=self.rows["organizations"][number % 7 % 3]["id"],
                id=self.id(),
                email=email,
                email_key=search_key(email),
                role=ROLES[number % 4],
                invited_by=self.or_none(self.chance.choice(self.rows["users"])["id"]),
                created_at=self.moment(),
                expires_at=NOW + timedelta(days=number - 3),
            )

    def _events(self, organization: Row) -> None:
        connections = [row for row in self.rows["service_connections"] if row["organization_id"] == organization["id"]]
        counter = next(row for row in self.rows["event_counters"] if row["organization_id"] == organization["id"])
        for sequence in range(1, 3 * len(connections) + 1):
            connection = self.chance.choice(connections)
            checks = [row["id"] for row in self.rows["health_checks"] if row["connection_id"] == connection["id"]]
            key = self.or_none(self.chance.choice(self.rows["api_keys"]), 0.3)
            user = key["user_id"] if key else self.or_none(self.chance.choice(self.rows["users"])["id"])
            changed, reason = self.chance.random() < 0.4, self.or_none("PAUSED")
            type_ = EVENTS[sequence % len(EVENTS)]
            event = self.add(
                "connection_events",
                organization_id=organization["id"],
                sequence=sequence,
                id=self.id(),
                epoch=counter["epoch"],
                connection_id=connection["id"],
                type=type_,
                occurred_at=self.moment(),
                actor_kind="API_KEY" if key else "USER" if user else self.chance.choice(["SCHEDULER", "SERVICE"]),
                actor_name=self.text(),
                actor_user_id=user,
                actor_api_key_id=key["id"] if key else None,
                status_from=self.chance.choice(STATUSES) if changed else None,
                status_to=self.chance.choice(STATUSES) if changed else None,
                status_reason_code=reason if changed else None,
                status_reason_message=self.text() if changed and reason else None,
                status_reason_remedy=self.or_none(self.chance.choice(REMEDIES)) if changed and reason else None,
                health_check_id=self.or_none(self.chance.choice(checks)) if checks else None,
                data=self.chance.choice(DOCUMENTS),
            )
            if type_ == "WEBHOOK_RECEIVED":
                event["data"] = self._reported(connection, sequence // len(EVENTS))
            counter["sequence"] = sequence

    def _runs(self, organization: Row) -> None:
        connections = [row for row in self.rows["service_connections"] if row["organization_id"] == organization["id"]]
        for number in range(2 * len(connections)):
            key = self.or_none(self.chance.choice(self.rows["api_keys"]), 0.3)
            user = key["user_id"] if key else self.or_none(self.chance.choice(self.rows["users"])["id"])
            status, error = RUNS[number % len(RUNS)], self.or_none("github_not_found")
            self.add(
                "command_runs",
                organization_id=organization["id"],
                id=self.id(),
                connection_id=self.chance.choice(connections)["id"],
                command=self.chance.choice(COMMANDS),
                arguments=self.chance.choice(DOCUMENTS),
                least_role=ROLES[number % 4],
                mutating=number % 2 == 0,
                repeatable=number % 3 == 0,
                status=status,
                attempts=number % 3,
                actor_kind="API_KEY" if key else "USER" if user else "SCHEDULER",
                actor_name=self.text(),
                actor_user_id=user,
                actor_api_key_id=key["id"] if key else None,
                address=self.or_none("203.0.113.7"),
                request_id=self.or_none("0123456789abcdef"),
                created_at=self.moment(),
                started_at=self.or_none(self.moment()),
                finished_at=self.or_none(self.moment()),
                duration_ms=self.or_none(self.chance.randrange(90_000)),
                result=self.or_none(self.chance.choice(DOCUMENTS)),
                url=self.or_none("https://github.example/acme/shop/issues/1?a='b'&c=\"d\""),
                error_kind=error and "REQUEST_REFUSED",
                error_code=error,
                error_message=error and self.text(),
                error_remedy=error and self.chance.choice(REMEDIES),
                error_retry_after_seconds=error and self.or_none(number),
                error_argument=error and self.or_none("title"),
                lease=self.id() if status == "RUNNING" else None,
                leased_until=NOW if status == "RUNNING" else None,
            )

    def _reported(self, connection: Row, number: int) -> Row:
        """The data of a webhook's event, with more or less of what there may be in it."""
        reached = [row["full_name"] for row in self.rows["repositories"] if row["connection_id"] == connection["id"]]
        names = [name.upper() for name in reached if name.isascii()] or ["acme/unknown"]
        parts = {
            "action": "created",
            "actor": NAMES[number % len(NAMES)],
            "subject": f"#{number}",
            "text": NAMES[-number % len(NAMES)],
            "url": f"https://service.example/{number}?a='b'&c=\"d\"",
            "repository": names[number % len(names)],
            "channel": f"C{number}",
            "thread": f"{number}.000100",
        }
        told = dict(list(parts.items())[number % 3 : len(parts) - number % 2])
        return {"service": connection["service"], "type": f"type_{number % 4}", **told, "deliveryId": f"d{number}"}
