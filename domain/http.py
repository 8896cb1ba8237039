"""The one way out: every call to an outside service goes through `HttpClient`, which answers in values.

Used by the services. It vets every address, follows no redirect, reads no proxy or certificate from the environment,
keeps no cookie, and bounds the time and the size of every answer.
"""

import asyncio
import copy
import email.utils
import json
import logging
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final, Self

import httpcore2
import httpx2

from domain.address_guard import AddressNotAllowed, GuardedBackend, OutboundAllow, Resolver, resolve
from domain.entities.health import Json
from domain.http_connections import HttpConnections
from domain.observation import UNOBSERVED, Observation

# At DEBUG httpcore writes the headers of answers to its log. Nothing here may.
logging.getLogger("httpcore2").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long and how much. The deadline covers a whole call: look-up, connect, retry and reading the body."""

    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 8.0
    deadline_seconds: float = 10.0
    body_bytes: int = 5 * 1024 * 1024
    connections: int = 100
    idle_connections: int = 100
    idle_seconds: float = 30.0


class HttpFaultKind(StrEnum):
    """Why a call brought no answer."""

    UNREACHABLE = "UNREACHABLE"  # no address, refused, reset
    TIMEOUT = "TIMEOUT"
    TLS = "TLS"  # the certificate doesn't verify
    BROKEN = "BROKEN"  # not HTTP, or less than was announced
    TOO_LARGE = "TOO_LARGE"
    NOT_ALLOWED = "NOT_ALLOWED"  # our own guard: nothing was sent


@dataclass(frozen=True, slots=True)
class NotJson:
    """The body isn't JSON; `reason` says where reading it stopped, and quotes nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer. Header names match in any case. Headers and body may hold secrets and stay out of the repr."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    latency_ms: int

    def json(self) -> Json | NotJson:
        """The body as strict JSON in UTF-8 (no NaN or Infinity)."""
        try:
            parsed: Json = json.loads(self.body.decode(), parse_constant=_refuse_constant)
        except RecursionError:
            return NotJson("nested too deeply")
        except ValueError as wrong:
            return NotJson(f"not JSON at byte {wrong.pos}" if isinstance(wrong, json.JSONDecodeError) else "not JSON")
        return parsed


@dataclass(frozen=True, slots=True)
class HttpFault:
    """No answer to use. `message` is half a sentence for people, such as `no answer within 10 s`.

    `maybe_done`: what isn't idempotent may have reached the service, which may have done what it was asked for.
    """

    kind: HttpFaultKind
    message: str
    latency_ms: int
    maybe_done: bool = False


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> int | None:
    """The whole seconds that `Retry-After` (seconds or an HTTP date) asks to wait; None where nothing readable does."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0, -int((now - until).total_seconds() // 1))


class HttpClient:
    """Calls outside services; one a process, shared by all of them. Close it with `aclose()`."""

    def __init__(
        self,
        *,
        allow: OutboundAllow = OutboundAllow(),  # noqa: B008 - frozen
        limits: HttpLimits = HttpLimits(),
        resolver: Resolver = resolve,
        ssl_context: ssl.SSLContext | None = None,
        retry_delay_seconds: Callable[[], float] = lambda: random.uniform(0.1, 0.4),  # noqa: S311 - jitter
        observation: Observation = UNOBSERVED,
    ) -> None:
        self._measurements, self._tracing = observation.measurements, observation.tracing
        self._service = ""
        self._allow = allow
        self._limits = limits
        self._retry_delay_seconds = retry_delay_seconds
        context = ssl_context or _trusted_by_the_machine()
        backend = GuardedBackend(allow, resolver)

        def connect(origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
            return httpcore2.AsyncHTTPConnection(origin, context, limits.idle_seconds, network_backend=backend)

        # Of httpcore, rather than httpx's client: it has no redirects, proxies, cookies or environment to turn off.
        self._connections = HttpConnections(
            connect, at_once=limits.connections, idle=limits.idle_connections, idle_seconds=limits.idle_seconds
        )

    def of(self, service: str) -> Self:
        """The same client, with the same connections, whose calls are told as those of a service."""
        client = copy.copy(self)
        client._service = service
        return client

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()

    async def get(self, url: str, *, headers: Mapping[str, str]) -> HttpAnswer | HttpFault:
        """GET, tried a second time where the first try failed fast."""
        return await self.request("GET", url, headers=headers, idempotent=True)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", idempotent: bool = False
    ) -> HttpAnswer | HttpFault:
        """Call `url`. Only what is `idempotent` is tried again: once, after no connection, 502, 503 or 504.

        Raises ValueError for a header that can't be sent, naming it without its value.
        """
        started = time.perf_counter()
        with self._tracing.span("call", {"tether.service": self._service, "http.request.method": method}) as span:
            request = self._prepared(method, url, headers, body)
            sending = None if idempotent or isinstance(request, str) else _Sending(request)
            if isinstance(request, str):
                answer: HttpAnswer | HttpFault = HttpFault(HttpFaultKind.NOT_ALLOWED, request, _since(started))
            else:
                span.set("server.address", request.url.host.decode("ascii"))
                answer = await self._answer(request, idempotent, started)
            if isinstance(answer, HttpAnswer):
                outcome = f"{answer.status // 100}XX"
                span.set("http.response.status_code", answer.status)
            else:
                answer = replace(answer, maybe_done=sending is not None and sending.begun)
                outcome = answer.kind.value
                span.set("error.type", outcome)
        self._measurements.called(self._service, outcome, time.perf_counter() - started)
        return answer

    async def _answer(self, request: httpcore2.Request, idempotent: bool, started: float) -> HttpAnswer | HttpFault:
        try:
            async with asyncio.timeout(self._limits.deadline_seconds):
                answer = await self._attempt(request, started)
                if idempotent and _worth_another_try(answer):
                    await asyncio.sleep(self._retry_delay_seconds())
                    answer = await self._attempt(request, started)
                return answer
        except TimeoutError:
            return _timed_out(started)

    def _prepared(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> httpcore2.Request | str:
        """The request to send, or why it may not be sent."""
        for name, value in headers.items():
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"The header {name} holds characters that can't be sent.")
        try:
            target = _parsed(url)
            host = target.raw_host.decode("ascii")
            without_tls = target.scheme == "http" and self._allow.names(host)
        except httpx2.InvalidURL:
            return "the address can't be read"
        except AddressNotAllowed as refused:
            return str(refused)
        if target.port is not None and not 0 < target.port < 1 << 16:
            return "the address can't be read"
        if not host or target.userinfo or (target.scheme != "https" and not without_tls):
            return f"{target.scheme}://{host} isn't allowed: only https is, without a user name"
        sent: list[tuple[str | bytes, str | bytes]] = [
            ("Host", target.netloc.decode("ascii")),
            ("User-Agent", "Tether"),
            ("Accept-Encoding", "identity"),  # what arrives is what is counted: no decompression bombs
            *headers.items(),
        ]
        if body or method != "GET":
            sent.append(("Content-Length", str(len(body))))
        return httpcore2.Request(
            method,
            httpcore2.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path),
            headers=sent,
            content=body,
            extensions={
                "timeout": {
                    "connect": self._limits.connect_timeout_seconds,
                    "read": self._limits.read_timeout_seconds,
                    "write": self._limits.read_timeout_seconds,
                }
            },
        )

    async def _attempt(self, request: httpcore2.Request, started: float) -> HttpAnswer | HttpFault:
        try:
            async with self._connections.lend(request.url.origin) as connection:
                response = await connection.handle_async_request(request)
                try:
                    body = bytearray()
                    async for chunk in response.aiter_stream():
                        body += chunk
                        if len(body) > self._limits.body_bytes:
                            message = f"an answer of more than {self._limits.body_bytes} bytes"
                            return HttpFault(HttpFaultKind.TOO_LARGE, message, _since(started))
                    return HttpAnswer(response.status, httpx2.Headers(response.headers), bytes(body), _since(started))
                finally:
                    await response.aclose()
        except AddressNotAllowed as refused:
            return HttpFault(HttpFaultKind.NOT_ALLOWED, str(refused), _since(started))
        except httpcore2.TimeoutException:
            return _timed_out(started)
        except httpcore2.ProtocolError:
            return HttpFault(HttpFaultKind.BROKEN, "an answer that isn't whole, valid HTTP", _since(started))
        except (httpcore2.NetworkError, OSError) as failed:
            return _network_fault(failed, _since(started))


@cache
def _trusted_by_the_machine() -> ssl.SSLContext:
    """One for all clients of a process: reading the certificates takes longer than many calls."""
    return httpx2.create_ssl_context(trust_env=False)


class _Sending:
    """Whether anything of a request has gone out: until then, the service can't have done what it asks for."""

    def __init__(self, request: httpcore2.Request) -> None:
        self.begun = False
        request.extensions["trace"] = self._note

    async def _note(self, step: str, info: Mapping[str, object]) -> None:
        self.begun = self.begun or step.endswith("send_request_headers.started")


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx2.URL:
    """Kept, since checks ask the same few addresses again and again. Raises httpx2.InvalidURL."""
    return httpx2.URL(url)


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _worth_another_try(answer: HttpAnswer | HttpFault) -> bool:
    if isinstance(answer, HttpFault):
        return answer.kind is HttpFaultKind.UNREACHABLE
    return answer.status in {502, 503, 504} and "retry-after" not in answer.headers


def _timed_out(started: float) -> HttpFault:
    waited_ms = _since(started)
    return HttpFault(HttpFaultKind.TIMEOUT, f"no answer within {waited_ms / 1000:.1f} s", waited_ms)


def _network_fault(failed: BaseException, latency_ms: int) -> HttpFault:
    cause: BaseException | None = failed
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return HttpFault(HttpFaultKind.TLS, f"its certificate doesn't verify: {cause.verify_message}", latency_ms)
        cause = cause.__cause__ or cause.__context__  # the pool raises anew "from None", so the context is what is left
    return HttpFault(HttpFaultKind.UNREACHABLE, "no connection, or it broke off", latency_ms)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
