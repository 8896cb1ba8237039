"""The one way out, against real servers: limits of time and size, redirects, garbage, retries, TLS and the guard."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from tempfile import NamedTemporaryFile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import OutboundAllow
from domain.http import HttpAnswer, HttpClient, HttpFault, HttpFaultKind, HttpLimits, NotJson, retry_after_seconds

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
PATIENT = HttpLimits()
LOOPBACK = OutboundAllow.parse("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers request after request with what it was told, the last answer again and again; remembers the requests."""

    def __init__(self, *answers: bytes | Answer) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._handle(reader, writer)))

    async def hang_up(self) -> None:
        for task in self._serving:
            task.cancel()
        for ended in await asyncio.gather(*self._serving, return_exceptions=True):
            if isinstance(ended, Exception):  # which being cancelled isn't
                raise ended

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                    if b"content-length" not in answer:
                        break
                else:
                    await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is done
        finally:
            writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def serving(*answers: bytes | Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(*answers)
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.hang_up()


@asynccontextmanager
async def client(
    limits: HttpLimits = PATIENT,
    allow: OutboundAllow = LOOPBACK,
    lookups: Sequence[Sequence[str]] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpClient]:
    """A client whose look-ups bring these answers, one after the other."""
    left = list(lookups)

    async def resolver(host: str, port: int) -> Sequence[str]:
        return left.pop(0)

    http = HttpClient(allow=allow, limits=limits, resolver=resolver, ssl_context=tls, retry_delay_seconds=lambda: 0)
    try:
        yield http
    finally:
        await http.aclose()


async def for_ever(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte at a time, each before any read could time out."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")
        await writer.drain()


def kind_of(answer: HttpAnswer | HttpFault) -> HttpFaultKind:
    assert isinstance(answer, HttpFault), answer
    return answer.kind


async def test_an_answer_is_a_value_with_its_headers_in_any_case() -> None:
    async with (
        serving(b'HTTP/1.1 200 OK\r\nX-Thing: yes\r\ncontent-length: 8\r\n\r\n{"a": 1}') as server,
        client() as http,
    ):
        answer = await http.get(server.url, headers={"Accept": "application/json"})

    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.headers["x-thing"], answer.json()) == (200, "yes", {"a": 1})
    assert answer.latency_ms >= 0
    request = server.requests[0].lower()
    assert b"user-agent: tether\r\n" in request
    assert f"host: 127.0.0.1:{server.port}\r\n".encode() in request
    assert b"cookie" not in request


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b"[Infinity]", b"\xff\xfe", b'{"a": ', b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_value_too(body: bytes) -> None:
    assert isinstance(HttpAnswer(200, {}, body, 1).json(), NotJson)


async def test_cookies_are_not_kept() -> None:
    setting = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\n{}"
    async with serving(setting) as server, client() as http:
        await http.get(server.url, headers={})
        await http.get(server.url, headers={})

    assert b"cookie" not in server.requests[1].lower()


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(OK) as server, client() as http:
        answer = await http.get(server.url, headers={})

    assert isinstance(answer, HttpAnswer)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with serving(OK) as elsewhere:
        moved = f"HTTP/1.1 302 Found\r\nlocation: {elsewhere.url}\r\ncontent-length: 0\r\n\r\n".encode()
        async with serving(moved) as server, client() as http:
            answer = await http.get(server.url, headers={})

        assert isinstance(answer, HttpAnswer)
        assert answer.status == 302
        assert elsewhere.requests == []


@pytest.mark.parametrize("slow", [for_ever, drip])
async def test_a_slow_answer_ends_at_the_deadline_and_frees_its_connection(slow: Answer) -> None:
    async with serving(slow, OK) as server, client(HttpLimits(deadline_seconds=0.2, connections=1)) as http:
        answer = await http.get(server.url, headers={})
        after = await http.get(server.url, headers={})

    assert kind_of(answer) is HttpFaultKind.TIMEOUT
    assert 150 <= answer.latency_ms < 2000
    assert isinstance(after, HttpAnswer)
    assert len(server.requests) == 2


async def test_silence_ends_at_the_read_timeout() -> None:
    async with serving(for_ever) as server, client(HttpLimits(read_timeout_seconds=0.1)) as http:
        answer = await http.get(server.url, headers={})

    assert kind_of(answer) is HttpFaultKind.TIMEOUT
    assert answer.latency_ms < 2000


async def test_a_look_up_that_hangs_ends_at_the_connect_timeout() -> None:
    async def hanging(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    http = HttpClient(limits=HttpLimits(connect_timeout_seconds=0.1), resolver=hanging)
    answer = await http.get("https://service.example/", headers={})
    await http.aclose()

    assert kind_of(answer) is HttpFaultKind.TIMEOUT


async def test_reading_stops_at_the_size_limit_and_the_client_goes_on() -> None:
    async with serving(flood, OK) as server, client(HttpLimits(body_bytes=10_000)) as http:
        flooded = await http.get(server.url, headers={})
        after = await http.get(server.url, headers={})

    assert kind_of(flooded) is HttpFaultKind.TOO_LARGE
    assert isinstance(after, HttpAnswer)


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_broken(garbage: bytes) -> None:
    async with serving(garbage) as server, client() as http:
        answer = await http.get(server.url, headers={})

    assert kind_of(answer) is HttpFaultKind.BROKEN


async def test_less_than_announced_is_broken() -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}")
        writer.close()

    async with serving(half) as server, client() as http:
        assert kind_of(await http.get(server.url, headers={})) is HttpFaultKind.BROKEN


async def test_nobody_listening_is_unreachable() -> None:
    async with serving(OK) as server:
        url = server.url
    async with client() as http:
        assert kind_of(await http.get(url, headers={})) is HttpFaultKind.UNREACHABLE


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_get_that_meets_a_gateways_error_is_tried_once_more(status: int) -> None:
    broken = f"HTTP/1.1 {status} Oops\r\ncontent-length: 0\r\n\r\n".encode()
    async with serving(broken, OK) as server, client() as http:
        healed = await http.get(server.url, headers={})
    async with serving(broken) as server, client() as http:
        lasting = await http.get(server.url, headers={})

    assert isinstance(healed, HttpAnswer)
    assert isinstance(lasting, HttpAnswer)
    assert (healed.status, lasting.status, len(server.requests)) == (200, status, 2)


@pytest.mark.parametrize("head", ["500 Oops", "429 Slow Down", "503 Later\r\nretry-after: 5", "401 Who", "404 Where"])
async def test_other_answers_are_not_tried_again(head: str) -> None:
    async with serving(f"HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n".encode()) as server, client() as http:
        await http.get(server.url, headers={})

    assert len(server.requests) == 1


async def test_what_is_not_idempotent_is_never_tried_again() -> None:
    async with serving(b"HTTP/1.1 503 Oops\r\ncontent-length: 0\r\n\r\n") as server, client() as http:
        await http.request("POST", server.url, headers={})

    assert len(server.requests) == 1


async def half_of_it(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}")
    writer.close()


async def nothing_of_it(writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("answer", [for_ever, flood, half_of_it, nothing_of_it, b"SSH-2.0-OpenSSH\r\n\r\n"])
async def test_what_was_sent_may_have_been_done_though_no_answer_says_so(answer: bytes | Answer) -> None:
    limits = HttpLimits(read_timeout_seconds=0.1, body_bytes=10_000)
    async with serving(answer) as server, client(limits) as http:
        sent = await http.request("POST", server.url, headers={}, body=b"{}")
        read = await http.get(server.url, headers={})

    assert isinstance(sent, HttpFault)
    assert sent.maybe_done
    assert isinstance(read, HttpFault)
    assert not read.maybe_done


async def test_what_was_never_sent_was_not_done() -> None:
    async def hanging(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with serving(OK) as server:
        nobody = server.url
    patience = HttpLimits(connect_timeout_seconds=0.1)
    asleep = HttpClient(limits=patience, resolver=hanging)
    try:
        async with client() as http:
            answers = [
                await http.request("POST", nobody, headers={}),
                await http.request("POST", "https://10.0.0.1/", headers={}),
                await asleep.request("POST", "https://service.example/", headers={}),
            ]
    finally:
        await asleep.aclose()

    kinds = [HttpFaultKind.UNREACHABLE, HttpFaultKind.NOT_ALLOWED, HttpFaultKind.TIMEOUT]
    assert [(kind_of(each), isinstance(each, HttpFault) and each.maybe_done) for each in answers] == [
        (kind, False) for kind in kinds
    ]


async def test_a_connection_that_was_kept_is_known_to_carry_the_next_request() -> None:
    """The second request goes out on the first one's connection, which nobody has to dial for it."""
    async with serving(OK, nothing_of_it) as server, client() as http:
        first = await http.request("POST", server.url, headers={}, body=b"{}")
        second = await http.request("POST", server.url, headers={}, body=b"{}")

    assert isinstance(first, HttpAnswer)
    assert isinstance(second, HttpFault)
    assert second.maybe_done


async def test_both_tries_share_one_deadline() -> None:
    broken = b"HTTP/1.1 503 Oops\r\ncontent-length: 0\r\n\r\n"
    async with serving(broken, for_ever) as server, client(HttpLimits(deadline_seconds=0.2)) as http:
        answer = await http.get(server.url, headers={})

    assert kind_of(answer) is HttpFaultKind.TIMEOUT
    assert answer.latency_ms < 2000


@pytest.mark.parametrize(
    "url",
    [
        "http://service.example/",  # no TLS
        "http://127.0.0.2/",  # loopback, but not the allowed one
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://2130706433/",
        "http://0x7f000001/",
        "https://user:password@service.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://exa\x00mple/",
        "https://service.example:99999/",
        "https://service.example:x/",
        "nonsense",
    ],
)
async def test_addresses_that_may_not_be_called_are_not(url: str) -> None:
    async with client(lookups=[["127.0.0.1"]] * 2) as http:  # an allowed address, under a name that is not
        assert kind_of(await http.get(url, headers={})) is HttpFaultKind.NOT_ALLOWED


async def test_a_name_that_leads_inside_is_refused_without_telling_where() -> None:
    async with client(allow=OutboundAllow(), lookups=[["140.82.121.4", "10.1.2.3"]]) as http:
        answer = await http.get("https://service.example/", headers={})

    assert kind_of(answer) is HttpFaultKind.NOT_ALLOWED
    assert "10.1.2.3" not in repr(answer)


async def test_each_connection_is_looked_up_once_and_goes_where_the_look_up_was_vetted() -> None:
    """A second answer would lead elsewhere: no call asks for it, and the next connection is vetted anew."""
    closing = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    allow = OutboundAllow.parse("127.0.0.1")
    certificate, trust = certified("service.example")
    lookups = [["127.0.0.1"], ["127.0.0.2"]]
    async with serving(closing, tls=certificate) as server, client(allow=allow, lookups=lookups, tls=trust) as http:
        first = await http.get(f"https://service.example:{server.port}/", headers={})
        second = await http.get(f"https://service.example:{server.port}/", headers={})

    assert isinstance(first, HttpAnswer)
    assert kind_of(second) is HttpFaultKind.NOT_ALLOWED
    assert len(server.requests) == 1


async def test_the_next_address_is_dialled_when_the_first_does_not_answer() -> None:
    allow = OutboundAllow.parse("127.0.0.0/8, service.example")
    async with serving(OK) as server, client(allow=allow, lookups=[["127.0.0.2", "127.0.0.1"]]) as http:
        answer = await http.get(f"http://service.example:{server.port}/", headers={})

    assert isinstance(answer, HttpAnswer)


async def test_tls_and_host_keep_the_name_though_an_address_is_dialled() -> None:
    names: list[str | None] = []
    certificate, trust = certified("service.example")
    certificate.sni_callback = lambda _socket, name, _context: names.append(name)
    async with serving(OK, tls=certificate) as server, client(lookups=[["127.0.0.1"]], tls=trust) as http:
        answer = await http.get(f"https://service.example:{server.port}/", headers={})

    assert isinstance(answer, HttpAnswer)
    assert names == ["service.example"]
    assert f"host: service.example:{server.port}\r\n".encode() in server.requests[0].lower()


async def test_a_certificate_for_another_name_is_refused() -> None:
    certificate, trust = certified("other.example")
    async with serving(OK, tls=certificate) as server, client(lookups=[["127.0.0.1"]], tls=trust) as http:
        answer = await http.get(f"https://service.example:{server.port}/", headers={})

    assert kind_of(answer) is HttpFaultKind.TLS
    assert server.requests == []


async def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    certificate, _ = certified("service.example")
    async with serving(OK, tls=certificate) as server, client(lookups=[["127.0.0.1"]]) as http:
        assert kind_of(await http.get(f"https://service.example:{server.port}/", headers={})) is HttpFaultKind.TLS


async def test_secrets_reach_neither_log_nor_error_nor_repr(caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-" + "c" * 20
    echoing = f'HTTP/1.1 200 OK\r\nx-echo: {canary}\r\ncontent-length: 29\r\n\r\n"{canary}"'.encode()
    with caplog.at_level(logging.DEBUG):
        async with serving(echoing) as server, client() as http:
            answer = await http.get(server.url, headers={"Authorization": f"Bearer {canary}"})
            with pytest.raises(ValueError, match="The header Authorization holds") as refused:
                await http.get(server.url, headers={"Authorization": f"{canary}\r\nX-Injected: yes"})

    assert isinstance(answer, HttpAnswer)
    assert canary.encode() in server.requests[0]
    assert canary not in caplog.text
    assert canary not in repr(answer)
    assert canary not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 30, None),
        ("Fri, 99 Nov 2026 10:00:00 GMT", None),
        ("Fri, 20 Nov 99999999999999 10:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: int | None) -> None:
    assert retry_after_seconds({"retry-after": text}, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_read_without_an_exception(text: str) -> None:
    seconds = retry_after_seconds({"retry-after": text}, NOW)
    assert seconds is None or seconds >= 0


def certified(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS with a certificate for `name` made here and now, and a client's that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with NamedTemporaryFile() as file:
        file.write(pem + private)
        file.flush()
        server.load_cert_chain(file.name)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(cadata=pem.decode())
    return server, trust
