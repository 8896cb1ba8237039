"""IdentityProvider: one issuer as it is now, with what it publishes kept for a while; IdentityProviders: all of them.

Made by the composition root, one a process. Used by whatever verifies tokens, and by sign-in, which needs the metadata.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final

from domain.errors import ServiceUnavailable
from domain.http import HttpClient
from domain.identity_providers.documents import (
    FetchFailure,
    ProviderMetadata,
    PublishedKeys,
    fetch_keys,
    fetch_metadata,
)
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.key_set import VerificationKey
from domain.measurements import NO_MEASUREMENTS, Measurements

WAIT_SECONDS: Final = 5.0
"""How long a request waits for an issuer; what comes later serves the next one."""
LOOK_AGAIN_SECONDS: Final = 30.0
"""How often an unknown key makes Tether ask whether there are new ones: anybody can name a key that there isn't."""
TRY_AGAIN_SECONDS: Final = 5.0
"""How soon an issuer is asked again that gave nothing usable."""
STALE_SECONDS: Final = 24 * 3600.0
"""How long keys are used while the issuer can't be asked."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    metadata: ProviderMetadata
    keys: Sequence[VerificationKey]
    fresh_until: float
    usable_until: float


class IdentityProvider:
    """Asks the issuer at most once at a time, whoever waits for the answer."""

    def __init__(
        self,
        issuer: Issuer,
        http: HttpClient,
        *,
        measurements: Measurements = NO_MEASUREMENTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self._http = http
        self._measurements = measurements
        self._monotonic = monotonic
        self._kept: _Kept | None = None
        self._failure: FetchFailure | None = None
        self._try_again_at = self._look_again_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._began_at = 0.0

    async def aclose(self) -> None:
        """Give up what is being fetched."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def metadata(self) -> ProviderMetadata:
        """What the issuer says of itself. Raises ServiceUnavailable."""
        return (await self._current()).metadata

    async def keys(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Those by which a token may be signed that names this key and algorithm; none where there is no such key.

        Raises ServiceUnavailable where that can't be said, since the issuer can't be asked.
        """
        before, kept = self._kept, await self._current()
        found = _fitting(kept, kid, algorithm)
        if not found and kept is before:
            found = await self.newer_keys(kid, algorithm)
        if not found and self._failure is not None:
            raise self._unavailable()
        return found

    async def newer_keys(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """The same, after the issuer was asked whether there are others by now, unless that was asked just before.

        Raises ServiceUnavailable where nothing is known of the issuer.
        """
        if self._looks_again():
            await self._fetched()
        return _fitting(await self._current(), kid, algorithm)

    async def _current(self) -> _Kept:
        """Fresh where it can be; else as the issuer said within the last day. Only the first to find that out waits."""
        kept, now = self._usable(), self._monotonic()
        if kept is not None and now < kept.fresh_until:
            return kept
        if kept is not None and self._failure is not None:
            if now >= self._try_again_at:
                self._begin()
            return kept
        if self._under_way() or now >= self._try_again_at:
            await self._fetched()
        kept = self._usable()
        if kept is None:
            raise self._unavailable()
        return kept

    def _usable(self) -> _Kept | None:
        kept = self._kept
        return kept if kept is not None and self._monotonic() < kept.usable_until else None

    def _looks_again(self) -> bool:
        if self._under_way():
            return True
        now = self._monotonic()
        if now < max(self._look_again_at, self._try_again_at):
            return False
        self._look_again_at = now + LOOK_AGAIN_SECONDS
        return True

    def _under_way(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    async def _fetched(self) -> None:
        """Wait for the fetch that is under way, or for a new one; it goes on when nobody waits any more.

        The time counts from its beginning, so that who comes after others have waited in vain doesn't do so again.
        """
        fetching = self._begin()
        waits_seconds = max(0.0, self._began_at + WAIT_SECONDS - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait([fetching], timeout=waits_seconds)
        if not done:
            self._failure = FetchFailure(f"no answer within {WAIT_SECONDS:.0f} s")
        elif not fetching.cancelled():
            fetching.result()  # raises what nobody meant to happen

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            # In a context of its own: it is no part of the request that happens to begin it.
            name = f"keys of the identity provider {self.issuer.id}"
            self._began_at = asyncio.get_running_loop().time()
            self._fetching = asyncio.create_task(self._fetch(), name=name, context=Context())
        return self._fetching

    async def _fetch(self) -> None:
        metadata = await fetch_metadata(self._http, self.issuer)
        keys = metadata if isinstance(metadata, FetchFailure) else await fetch_keys(self._http, metadata)
        now = self._monotonic()
        if isinstance(metadata, ProviderMetadata) and isinstance(keys, PublishedKeys):
            self._kept = _Kept(metadata, keys.keys, now + keys.fresh_seconds, now + STALE_SECONDS)
            self._failure = None
            self._measurements.provider_asked(self.issuer.id, "OK")
        elif isinstance(keys, FetchFailure):
            self._failure, self._try_again_at, self._look_again_at = keys, now + TRY_AGAIN_SECONDS, now
            self._measurements.provider_asked(self.issuer.id, "FAILED")
            _log.warning("The identity provider %s gave no usable answer: %s.", self.issuer.id, keys.reason)

    def _unavailable(self) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The identity provider {self.issuer.id} can't be asked for its keys, so that its tokens can't be verified "
            "now. Try again in a few seconds."
        )


class IdentityProviders:
    """Found by the issuer's address. Close it with `aclose()`."""

    def __init__(
        self,
        issuers: Iterable[Issuer],
        http: HttpClient,
        *,
        measurements: Measurements = NO_MEASUREMENTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = {
            issuer.url: IdentityProvider(issuer, http, measurements=measurements, monotonic=monotonic)
            for issuer in issuers
        }

    def __iter__(self) -> Iterator[IdentityProvider]:
        return iter(self._providers.values())

    def of_issuer(self, url: object) -> IdentityProvider | None:
        """The one whose address this is, character by character."""
        return self._providers.get(url) if isinstance(url, str) else None

    async def aclose(self) -> None:
        """Give up what is being fetched."""
        for provider in self:
            await provider.aclose()


def _fitting(kept: _Kept, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
    """Of a token that names no key, a few could be it: issuers with one key, or with an old and a new one."""
    named = [each for each in kept.keys if (kid is None or each.kid == kid) and each.fits(algorithm)]
    return named[:_MOST_TRIED]


_MOST_TRIED: Final = 4
