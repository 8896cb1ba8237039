"""/livez and /readyz: whether this process lives, and whether it can do its work. Asked by load balancers and people.

They tell which check failed and nothing more; `tether doctor` tells the operator why.
"""

import asyncio
import logging
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from domain.errors import EncryptionKeyMismatch, ServiceUnavailable
from gql.bootstrap import Tether, read_key_ring, require_migrated
from gql.operator_error import OperatorError

OK: Final = "ok"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
"""Couldn't be checked, since an earlier check failed."""

REMEMBERED_SECONDS: Final = 1.0
"""How long an answer is given again, so that nobody can keep the database busy by asking."""

_CHECKS: Final = ("database", "migrations", "key")
_log: Final = logging.getLogger(__name__)


def health_routes(tether: Tether) -> list[Route]:
    """The two routes. Neither needs a token."""
    readiness = Readiness(tether)

    async def livez(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> JSONResponse:
        checks = await readiness.checks()
        ready = all(outcome == OK for outcome in checks.values())
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": checks}, status_code=200 if ready else 503
        )

    return [Route("/livez", livez), Route("/readyz", readyz)]


class Readiness:
    """Checks the database, its tables and the key, each once the one before is in order."""

    def __init__(self, tether: Tether) -> None:
        self._tether = tether
        self._lock = asyncio.Lock()
        self._checks = dict.fromkeys(_CHECKS, OK)
        self._checked_at: float | None = None

    async def checks(self) -> dict[str, str]:
        """The outcome (ok, failed, unknown) of each check, at most `REMEMBERED_SECONDS` old."""
        async with self._lock:
            if self._checked_at is None or time.monotonic() - self._checked_at >= REMEMBERED_SECONDS:
                checks = await self._check()
                if checks != self._checks:
                    _log.log(logging.WARNING if FAILED in checks.values() else logging.INFO, "Readiness: %s", checks)
                self._checks, self._checked_at = checks, time.monotonic()
            return self._checks

    async def _check(self) -> dict[str, str]:
        tether = self._tether
        checks = dict.fromkeys(_CHECKS, UNKNOWN)
        current = "database"
        try:
            await tether.database.ping()
            checks[current] = OK
            current = "migrations"
            await require_migrated(tether.database)
            checks[current] = OK
            current = "key"
            key_ring = await read_key_ring(tether.units_of_work, tether.key_provider)
            if key_ring is None:
                raise KeyError("there is no data key")
            tether.key_ring.key(key_ring.primary_id)  # what other processes seal, this one has to open
            checks[current] = OK
        except (ServiceUnavailable, OperatorError, EncryptionKeyMismatch, KeyError):
            checks[current] = FAILED
        return checks
