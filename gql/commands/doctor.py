"""`tether doctor`: what is configured, what is missing and what to do about it, a line each. Changes nothing."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final

from domain.errors import EncryptionKeyMismatch, ServiceUnavailable
from domain.http import HttpClient, HttpFault, HttpFaultKind
from domain.identity_providers.documents import FetchFailure, fetch_keys, fetch_metadata
from domain.identity_providers.issuer import Issuer
from domain.key_ring import LocalKeyProvider
from gql.bootstrap import BYPASSES_ROW_SECURITY, read_key_ring, require_migrated
from gql.identity_settings import variable
from gql.operator_error import OperatorError, describe_outage
from gql.settings import Settings, SettingsError, TrustedDocumentsMode
from persistence.database import Database
from persistence.database_url import parse_database_url
from persistence.unit_of_work import SqlUnitsOfWork


def run(_arguments: argparse.Namespace) -> int:
    return asyncio.run(Doctor().examine(os.environ))


class Doctor:
    """Writes a line for each thing it looks at; what depends on something that fails isn't looked at."""

    def __init__(self) -> None:
        self._exit_code = 0

    async def examine(self, environ: Mapping[str, str]) -> int:
        """0 if all is well, else 1."""
        try:
            settings = Settings.from_environment(environ)
        except SettingsError as error:
            for problem in error.problems:
                self._fail("settings", problem)
            return self._exit_code
        key = settings.encryption_key
        provider = LocalKeyProvider(key.key)
        self._ok("settings", f"{settings.environment}, reached at {settings.public_url}")
        self._ok("key", f"{provider.id}{', made for development' if key.development else ''}")
        only_documents = settings.trusted_documents is TrustedDocumentsMode.REQUIRE
        await self._examine_database(settings.database_url, provider, only_documents=only_documents)
        async with aclosing(HttpClient(allow=settings.outbound_allow)) as http:
            await self._examine_service(http, "GitHub", settings.services.github_api_url, "TETHER_GITHUB_API_URL")
            await self._examine_service(http, "Slack", settings.services.slack_api_url, "TETHER_SLACK_API_URL")
            await self._examine_service(http, "GitLab", settings.services.gitlab_url, "TETHER_GITLAB_URL")
            for issuer in settings.identity.issuers:
                await self._examine_issuer(http, issuer)
        return self._exit_code

    async def _examine_database(self, database_url: str, provider: LocalKeyProvider, *, only_documents: bool) -> None:
        url = parse_database_url(database_url)
        if url.get_backend_name() == "sqlite" and not await asyncio.to_thread(Path(url.database or "").exists):
            self._fail("database", f"There is no file {url.database} yet. Create it with `tether migrate`.")
            return
        async with Database(database_url) as database:
            try:
                version = await database.version()
            except ServiceUnavailable as outage:
                self._fail("database", f"{describe_outage(outage)} Check TETHER_DATABASE_URL.")
                return
            name, oldest = _OLDEST[database.dialect_name]
            found = f"{name} {_dotted(version)}"
            if version < oldest:
                self._fail("database", f"{found} is too old: Tether needs {_dotted(oldest)} or newer.")
                return
            self._ok("database", f"{found}, {url.render_as_string(hide_password=True)}")
            await self._examine_role(database)
            if await self._examine_tables(database, provider) and only_documents:
                await self._examine_documents(database)

    async def _examine_role(self, database: Database) -> None:
        if database.dialect_name == "sqlite":
            return
        try:
            bypasses = await database.bypasses_row_security()
        except ServiceUnavailable as outage:
            self._fail("role", describe_outage(outage))
            return
        if bypasses:
            self._fail("role", BYPASSES_ROW_SECURITY)
        else:
            self._ok("role", "held to the row security that keeps organizations apart")

    async def _examine_tables(self, database: Database, provider: LocalKeyProvider) -> bool:
        """Whether they are as this version has them."""
        try:
            self._ok("migrations", f"revision {await require_migrated(database)}, the newest")
        except (OperatorError, ServiceUnavailable) as error:
            self._fail("migrations", str(error))
            return False
        try:
            key_ring = await read_key_ring(SqlUnitsOfWork(database, lambda organization_id: None), provider)
        except (EncryptionKeyMismatch, OperatorError, ServiceUnavailable) as error:
            self._fail("data key", str(error))
            return True
        if key_ring is None:
            self._ok("data key", "none yet: the first start of `tether serve` makes one")
        else:
            self._ok("data key", f"{key_ring.primary_id}, which the key opens")
        return True

    async def _examine_documents(self, database: Database) -> None:
        """Whether a server that answers nothing but published documents has any."""
        try:
            async with SqlUnitsOfWork(database, lambda organization_id: None).reading_everywhere() as unit:
                published = await unit.trusted_documents.list()
        except ServiceUnavailable as outage:
            self._fail("documents", describe_outage(outage))
            return
        if published:
            self._ok("documents", f"{len(published)} published, and nothing else is answered")
        else:
            self._fail("documents", _NONE_PUBLISHED)

    async def _examine_service(self, http: HttpClient, name: str, api_url: str, variable: str) -> None:
        """Whether it can be called at all: every answer is a good one, also to a call without a credential."""
        answer = await http.get(api_url, headers={"Accept": "application/json"})
        if not isinstance(answer, HttpFault):
            self._ok(name, f"{api_url} answers within {answer.latency_ms} ms")
        elif answer.kind is HttpFaultKind.NOT_ALLOWED:
            self._fail(name, f"{api_url}: {answer.message}. Allow the host with TETHER_OUTBOUND_ALLOW.")
        else:
            self._fail(name, f"{api_url}: {answer.message}. Check {variable} and this machine's way to the network.")

    async def _examine_issuer(self, http: HttpClient, issuer: Issuer) -> None:
        """Whether it publishes what its tokens are verified with."""
        metadata = await fetch_metadata(http, issuer)
        keys = metadata if isinstance(metadata, FetchFailure) else await fetch_keys(http, metadata)
        if isinstance(keys, FetchFailure):
            name = variable(issuer.id, "ISSUER")
            self._fail("issuer", f"{issuer.id}, {issuer.url}: {keys.reason}. Check {name}, and TETHER_OUTBOUND_ALLOW.")
        else:
            self._ok("issuer", f"{issuer.id}, {issuer.url}, publishes {len(keys.keys)} key(s)")

    def _ok(self, subject: str, text: str) -> None:
        self._write("ok  ", subject, text)

    def _fail(self, subject: str, text: str) -> None:
        self._exit_code = 1
        self._write("FAIL", subject, text)

    def _write(self, outcome: str, subject: str, text: str) -> None:
        sys.stdout.write(f"{outcome}  {subject:<10}  {text}\n")
        sys.stdout.flush()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


_NONE_PUBLISHED: Final = (
    "None is published, and TETHER_TRUSTED_DOCUMENTS=require has nothing else answered. Publish the manifest of a "
    "client's build with `tether documents publish`."
)
_OLDEST: Final = {
    "sqlite": ("SQLite", (3, 38)),  # its JSON functions are built in since then
    "postgresql": ("PostgreSQL", (13,)),
}
