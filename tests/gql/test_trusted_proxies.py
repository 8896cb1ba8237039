"""Whom a request is from: the socket's other end, or whom proxies name that the operator trusts, and nobody else."""

from ipaddress import ip_address
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql.http.client import place_client
from gql.trusted_proxies import TrustedProxies, parse_address
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

PROXIES = TrustedProxies.parse("127.0.0.1,::1,10.0.0.0/8,2001:db8:1::/48")


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.7"], "198.51.100.1"),  # no proxy of ours
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),  # the client has made the first one up
        ("127.0.0.1", ["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.1.2.3"], "203.0.113.7"),  # through two proxies
        ("127.0.0.1", ["203.0.113.7", " 10.1.2.3 ,10.4.5.6"], "203.0.113.7"),
        ("127.0.0.1", ["10.1.1.1, 6.6.6.6, 10.1.2.3"], "6.6.6.6"),
        ("127.0.0.1", ["10.1.1.1, 10.1.2.3"], "10.1.1.1"),  # somebody within the trusted network
        ("::1", ["2001:db8:ffff::7"], "2001:db8:ffff::7"),
        ("::1", ["[2001:db8:ffff::7]:4711"], "2001:db8:ffff::7"),
        ("::1", ["2001:DB8:FFFF:0::7"], "2001:db8:ffff::7"),
        ("::1", ["fe80::7%eth0"], "fe80::7"),
        ("::ffff:127.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("2001:db8:1::9", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7, _hidden, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["203.0.113.7,"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["0x7f000001, 1.2.3, 256.1.1.1"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7 10.1.2.3"], "127.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_that_is_not_trusted(peer: str, headers: list[str], client: str) -> None:
    assert str(PROXIES.client(parse_address(peer), headers)) == client


@given(headers=st.lists(st.text(max_size=80), max_size=3))
def test_whatever_is_forged_nobody_is_believed_who_is_not_trusted(headers: list[str]) -> None:
    stranger = ip_address("198.51.100.1")
    assert PROXIES.client(stranger, headers) == stranger
    assert TrustedProxies().client(ip_address("127.0.0.1"), headers) == ip_address("127.0.0.1")
    assert PROXIES.client(None, headers) is None
    assert str(PROXIES.client(ip_address("127.0.0.1"), [*headers, "203.0.113.7"])) == "203.0.113.7"


async def _address(server: TetherServer, headers: list[tuple[str, str]]) -> str | None:
    """What is recorded as the address of a request with these headers."""
    client = Client(_Sending(server.http, headers), await server.token())  # type: ignore[arg-type]
    name = f"Named {len(await server.rows('audit_records'))}"
    await client.mutate("updateOrganization", "", organizationId=await server.organization_id(), name=name)
    [record] = [row for row in await server.rows("audit_records") if row["data"].get("to") == {"name": name}]
    address: str | None = record["address"]
    return address


class _Sending:
    """Sends each request with headers of its own, which may come several times."""

    def __init__(self, http: httpx2.AsyncClient, headers: list[tuple[str, str]]) -> None:
        self._http = http
        self._headers = headers

    async def post(self, url: str, *, json: object, headers: dict[str, str]) -> httpx2.Response:
        return await self._http.post(url, json=json, headers=[*headers.items(), *self._headers])


_FORGED = [
    [("X-Forwarded-For", "203.0.113.7")],
    [("X-Forwarded-For", "127.0.0.1")],
    [("Forwarded", "for=203.0.113.7")],
    [("X-Real-IP", "203.0.113.7")],
]


@pytest.mark.anyio
@pytest.mark.parametrize("forged", _FORGED, ids=str)
async def test_by_default_nobody_is_believed_and_nothing_forged_is_from_this_machine(
    server: TetherServer, forged: list[tuple[str, str]]
) -> None:
    assert await _address(server, []) == "127.0.0.1"
    assert await _address(server, forged) == "127.0.0.1"


@pytest.mark.anyio
async def test_a_trusted_proxy_says_for_whom_it_asks(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_TRUSTED_PROXIES="127.0.0.1") as server:
        assert await _address(server, [("X-Forwarded-For", "203.0.113.7")]) == "203.0.113.7"
        assert (
            await _address(server, [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "::ffff:9.9.9.9")]) == "9.9.9.9"
        )
        assert await _address(server, [("X-Forwarded-For", "not an address")]) == "127.0.0.1"
        assert await _address(server, []) == "127.0.0.1"


def _scope(peer: str, headers: list[tuple[str, str]], type_: str = "http") -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return {"type": type_, "scheme": "ws" if type_ == "websocket" else "http", "client": (peer, 7), "headers": raw}


@pytest.mark.parametrize("forged", _FORGED, ids=str)
def test_who_asks_for_others_without_being_trusted_is_no_client(forged: list[tuple[str, str]]) -> None:
    """So that nothing takes the request for one that a person on this machine has made."""
    scope = _scope("127.0.0.1", forged)
    assert place_client(scope, TrustedProxies()) == "127.0.0.1"
    assert scope["client"] is None
    direct = _scope("127.0.0.1", [("Host", "localhost")])
    assert place_client(direct, TrustedProxies()) == "127.0.0.1"
    assert direct["client"] == ("127.0.0.1", 7)


@pytest.mark.parametrize(
    ("type_", "said", "scheme"),
    [
        ("http", [], "http"),
        ("http", ["https"], "https"),
        ("websocket", ["https"], "wss"),
        ("websocket", ["wss"], "wss"),
        ("http", ["ftp"], "http"),
        ("http", ["http", "HTTPS"], "https"),
    ],
)
def test_a_trusted_proxy_says_by_which_scheme_it_was_asked(type_: str, said: list[str], scheme: str) -> None:
    headers = [("X-Forwarded-For", "203.0.113.7"), *(("X-Forwarded-Proto", each) for each in said)]
    trusted = _scope("127.0.0.1", headers, type_)
    assert place_client(trusted, PROXIES) == "203.0.113.7"
    assert (trusted["client"], trusted["scheme"]) == (("203.0.113.7", 0), scheme)
    stranger = _scope("198.51.100.1", headers, type_)
    before = stranger["scheme"]
    assert place_client(stranger, PROXIES) == "198.51.100.1"
    assert stranger["scheme"] == before


def test_a_peer_without_an_address_is_nobody() -> None:
    scope = _scope("", []) | {"client": None}
    assert place_client(scope, PROXIES) is None
    assert place_client(_scope("a-test-client", []), PROXIES) is None
