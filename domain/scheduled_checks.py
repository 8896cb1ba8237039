"""ScheduledChecks: checks the connections that are due, and keeps what was found. Called by HealthWorker.

What finds nothing new is noted by one statement for many; what is news goes through the entity, in a unit of work of
its own, with its events. Either counts only while the lease with which the connection was claimed is still its own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from domain.call_budget import may_call
from domain.call_budgets import CallBudgets, budget_key
from domain.connection_checks import ConnectionChecks
from domain.connection_units import credential_of
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.call_budget import BudgetKey
from domain.entities.due_check import DueCheck, UnchangedCheck
from domain.entities.event import SCHEDULER
from domain.entities.health import ExternalAccount, HealthCheck, HealthCheckTrigger, rate_limit_after
from domain.errors import CredentialUnreadable, NotFound
from domain.health import Diagnosis, HealthCheckFactory, HealthSubject
from domain.ports import UnitsOfWork
from domain.schedule import JITTER, after_pass
from domain.services.base import IdentityAnswer
from domain.services.catalogue import ServiceCatalogue

DIAGNOSIS_KEPT: Final = timedelta(hours=1)
"""How long checks may share the probes of an earlier one: figures in it, such as the quota, are that old at most."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A claimed connection and what was found, by a credential of that `generation`."""

    due: DueCheck
    diagnosis: Diagnosis
    generation: int
    found_seconds: float = field(default_factory=time.monotonic)

    @property
    def check(self) -> HealthCheck:
        return self.diagnosis.check


class ScheduledChecks:
    """Stateless. `check` waits for the service, so never call it in a unit of work."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        health_checks: HealthCheckFactory,
        vault: CredentialVault,
        refresher: CredentialRefresher,
        budgets: CallBudgets,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._health_checks = health_checks
        self._checks = ConnectionChecks(catalogue, health_checks, clock, chance)
        self._vault = vault
        self._refresher = refresher
        self._budgets = budgets
        self._clock = clock
        self._chance = chance

    async def affordable(self, dues: Sequence[DueCheck]) -> Sequence[DueCheck]:
        """Those whose accounts have a call left in their budgets; the others are put off. Raises ServiceUnavailable."""
        keys = [self._budget_key(due) for due in dues]
        refused = await self._budgets.take_all(key for key in keys if key is not None)
        if not refused:
            return dues
        left = {key: each.calls for key, each in refused.items()}
        affordable: list[DueCheck] = []
        waiting: list[tuple[DueCheck, datetime]] = []
        for due, key in zip(reversed(dues), reversed(keys), strict=True):  # the longest due ones get what there is
            if key is not None and left.get(key, 0) > 0:
                left[key] -= 1
                waiting.append((due, refused[key].again_at + due.interval * JITTER * self._chance()))
            else:
                affordable.append(due)
        async with self._units_of_work.writing_everywhere() as unit:
            await unit.due_checks.put_off(waiting)
            await unit.commit()
        return affordable

    def _budget_key(self, due: DueCheck) -> BudgetKey | None:
        account = None if due.account_id is None else ExternalAccount(due.account_id, "")
        return budget_key(self._catalogue.get_connected(due.service), account)

    async def check(self, due: DueCheck) -> Checked:
        """Ask the service. A credential that is refused and can be refreshed is, and then asked about again.

        Raises ServiceUnavailable where a refresh finds no database.
        """
        credential = due.credential
        generation = credential.generation

        async def identify(secret: CredentialSecret) -> IdentityAnswer:
            nonlocal generation
            service = self._catalogue.get_connected(due.service)
            limited = may_call(due.service, due.rate_limit, self._clock())
            if limited is not None:
                return limited
            answer, generation = await self._refresher.call_opened(credential, secret, service.identify)
            return answer

        subject = HealthSubject(
            service_id=due.service,
            settings=due.settings,
            secret=self._vault.open(credential),
            expected_account_id=due.account_id,
            stored_end=credential.ends_at,
            identify=identify,
        )
        diagnosis = await self._health_checks.run_health_check(
            subject,
            organization_id=due.organization_id,
            connection_id=due.connection_id,
            trigger=due.trigger,
        )
        return Checked(due, diagnosis, generation)

    def unchanged(self, checked: Checked) -> UnchangedCheck | None:
        """What is to be noted where nothing new was found; None for news."""
        due, check, now = checked.due, checked.check, self._clock()
        if due.trigger is not HealthCheckTrigger.SCHEDULE:
            return None
        if due.diagnosis_id is None or due.diagnosed_at is None or due.finding is None or check.finding != due.finding:
            return None
        age = check.started_at - due.diagnosed_at
        if age < timedelta():
            return None  # by the mistake of a clock; the connection knows what to make of it
        limit = rate_limit_after(check, due.rate_limit)
        next_check_at = after_pass(
            now,
            self._chance,
            interval=due.interval,
            settled_since=due.status_changed_at,
            ends_at=due.credential.ends_at,
            limit=limit,
        )
        probes = check.probes if age >= DIAGNOSIS_KEPT else None
        return UnchangedCheck(due, check.id, check.started_at, check.latency_ms, limit, next_check_at, probes)

    async def note_unchanged(self, checks: Sequence[UnchangedCheck]) -> int:
        """Keep them all; how many were still ours to keep. Raises ServiceUnavailable."""
        async with self._units_of_work.writing_everywhere() as unit:
            kept = await unit.due_checks.note_unchanged(checks)
            await unit.commit()
        return kept

    async def take_news(self, checked: Checked) -> bool:
        """Have the connection take what was found; False if it is no longer ours to say. Raises ServiceUnavailable."""
        due, check = checked.due, checked.check
        async with self._units_of_work.writing(due.organization_id) as unit:
            try:
                connection = await unit.connections.get(due.connection_id)
                credential = await credential_of(unit, connection)
            except NotFound:
                return False  # deleted meanwhile
            if not await unit.due_checks.holds(due):
                return False
            if credential.generation != checked.generation:
                connection.check_soon(self._clock(), due.trigger)  # what was found is of a secret that is gone
                await unit.connections.save(connection, keep_version=True)
                await unit.commit()
                return True
            opened = not isinstance(self._vault.open(credential), CredentialUnreadable)
            await self._checks.keep(unit, connection, credential, check, SCHEDULER, opened=opened)
            await unit.commit()
        return True
