"""What is answered to requests that can't be served: the exact status, code and message, in both forms of an answer."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.gql.client import JSON, RESPONSE_JSON, Answer, Client
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { user { name } } }"
TWO = "query A { viewer { user { name } } } query B { viewer { user { email } } }"
NOT_JSON = "The body is not JSON in UTF-8."
NO_OBJECT = 'The body is not a JSON object, such as {"query": "{ viewer { user { name } } }"}.'
BATCH = "The body is a list. Operations aren't taken in batches: send each one by itself."
NO_QUERY = "There is no query: the operation's text."
NO_SUCH_OPERATION = "operationName names no operation of this query."


@pytest.fixture
async def client(shared_server: TetherServer) -> Client:
    return await shared_server.member()


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", NOT_JSON),
        (b'{"query": "{ viewer', NOT_JSON),
        (b'{"query": "\xff"}', NOT_JSON),
        (b'{"query": "\\ud800"}', NOT_JSON),
        (b"", NOT_JSON),
        (b"[" * 100_000, NOT_JSON),
        (b'{"query":' + b"[" * 100_000 + b"]" * 100_000 + b"}", NOT_JSON),
        (b"null", NO_OBJECT),
        (b"1", NO_OBJECT),
        (b'"x"', NO_OBJECT),
        (b"[]", BATCH),
        (b'[{"query": "{ viewer { user { name } } }"}]', BATCH),
        (b'\xef\xbb\xbf{"query": "{ viewer { user { name } } }"}', NOT_JSON),
        ('{"query": "{ viewer { user { name } } }"}'.encode("utf-16"), NOT_JSON),
        (b'{"query": "{ x }", "variables": {"a": NaN}}', NOT_JSON),
        (b'{"query": "{ x }", "query": "{ y }"}', "An object has the key 'query' twice."),
        (b'{"query": "{ x }", "qu\\u0065ry": "{ y }"}', "An object has the key 'query' twice."),
        (b'{"query": "{ x }", "variables": {"a": [{"b": 1, "c": 2, "b": 3}]}}', "An object has the key 'b' twice."),
        (b'{"query": "{ x }", "variables": {"a":' + b"[" * 999 + b"]" * 999 + b"}}", "The JSON is nested too deep."),
        (b"{}", NO_QUERY),
        (b'{"query": null}', NO_QUERY),
        (b'{"query": 1}', NO_QUERY),
        (b'{"query": " "}', NO_QUERY),
        (b'{"query": "{ x }", "variables": []}', "variables is an object, or null."),
        (b'{"query": "{ x }", "operationName": 1}', "operationName is text, or null."),
        (b'{"query": "{ x }", "extensions": 1}', "extensions is an object, or null."),
    ],
)
async def test_a_body_that_holds_no_operation_is_refused(
    client: Client, body: bytes, message: str, accept: str
) -> None:
    answer = await _send(client, body, Accept=accept)

    assert answer.status == 400
    assert answer.error == ("BAD_USER_INPUT", message)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_256_kib_is_refused_also_where_its_length_is_not_announced(
    client: Client, announced: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 32_768

    refused = await _send(client, b" " * 9 * 32_768 if announced else chunks())
    assert refused.status == 413
    assert refused.error == ("BAD_USER_INPUT", "The body is larger than 256 KiB.")

    padded = b'{"query": "{ viewer { user { name } } }"}'.ljust(256 * 1024)
    assert (await _send(client, padded)).data == {"viewer": {"user": {"name": "owner"}}}


@pytest.mark.parametrize("content_type", ["text/plain", "application/graphql", "multipart/form-data; boundary=x", ""])
async def test_only_json_is_read(client: Client, content_type: str) -> None:
    answer = await _send(client, b'{"query": "{ viewer { user { name } } }"}', **{"Content-Type": content_type})

    assert answer.status == 415
    assert answer.response.headers["accept-post"] == "application/json; charset=utf-8"
    assert answer.error == (
        "BAD_USER_INPUT",
        "Send the operation as JSON, with the header Content-Type: application/json.",
    )


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"utf-8"', "utf-8; x=y"])
async def test_json_is_read_in_utf_8(client: Client, charset: str) -> None:
    body = '{"query": "{ viewer { user { name } } } # ✓"}'.encode()
    answer = await _send(client, body, **{"Content-Type": f"application/json; charset={charset}"})

    assert answer.data == {"viewer": {"user": {"name": "owner"}}}


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", '"ascii"', ""])
async def test_json_of_another_charset_is_refused(client: Client, charset: str) -> None:
    answer = await _send(client, b"{}", **{"Content-Type": f"application/json; charset={charset}"})

    assert answer.status == 415
    assert answer.error == ("BAD_USER_INPUT", "Send JSON in UTF-8; no other charset is read.")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused(client: Client, encoding: str) -> None:
    answer = await _send(client, gzip.compress(b'{"query": "{ x }"}'), **{"Content-Encoding": encoding})

    assert answer.status == 415
    assert answer.response.headers["accept-encoding"] == "identity"
    assert answer.error == ("BAD_USER_INPUT", "Send the body as it is: none that is compressed is read.")


async def test_a_body_that_ends_too_early_is_no_failure_of_the_server(
    shared_server: TetherServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The client hangs up in the midst of it."""
    address = urlsplit(shared_server.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    writer.write(head.encode() + b'{"query": "{ view')
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await client.post({"query": VIEWER})).data == {"viewer": {"user": {"name": "owner"}}}
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_a_body_that_does_not_come_is_not_waited_for(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    """Whoever sends it needs no token for that."""
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_MAX_REQUEST_SECONDS="1") as server:
        address = urlsplit(server.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
        writer.write(head.encode() + b'{"query": "{ view')
        async with asyncio.timeout(10):
            answer = await reader.read()  # until the connection is closed
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"The body didn't arrive completely within 1 s." in answer


async def test_an_answer_that_nobody_takes_is_not_sent(client: Client) -> None:
    answer = await _send(client, b"{}", Accept="image/png, multipart/mixed, text/event-stream;q=0")

    assert answer.status == 406
    assert answer.error == (
        "BAD_USER_INPUT",
        "Answers are application/graphql-response+json or application/json: name one of them in the header Accept.",
    )


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("*/*;q=0.1, text/html", JSON),
        ("application/*", JSON),
        ("image/png, application/json;q=0.5", JSON),
        (f"{RESPONSE_JSON}, {JSON}", RESPONSE_JSON),
        (f"{JSON}, {RESPONSE_JSON}", JSON),
        (f"{JSON};q=0.9, {RESPONSE_JSON}", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.5, */*", JSON),
        (f"{JSON};q=0, */*", RESPONSE_JSON),
        (f'{JSON};charset="utf-8";q=0.4, {RESPONSE_JSON};charset=iso-8859-1', JSON),
        (f"{RESPONSE_JSON}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed", RESPONSE_JSON),
        (f'multipart/mixed;boundary="a,b;c";subscriptionSpec=1.0, {JSON}', JSON),
        (f"text/event-stream, {JSON};q=nonsense, {JSON};q=0.1", JSON),
        (f"{RESPONSE_JSON.upper()}; charset=utf-8", RESPONSE_JSON),
    ],
)
async def test_the_answer_has_the_form_that_the_client_takes(client: Client, accept: str, content_type: str) -> None:
    answer = await client.post({"query": VIEWER}, accept=accept)

    assert answer.data == {"viewer": {"user": {"name": "owner"}}}
    assert answer.response.headers["content-type"] == f"{content_type}; charset=utf-8"
    assert answer.response.headers["vary"] == "Accept"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_than_post_is_refused(client: Client, method: str) -> None:
    answer = Answer(await client.http.request(method, "/graphql", headers={"Accept": JSON}))

    assert answer.status == 405
    assert answer.response.headers["allow"] == ("POST" if method == "GET" else "GET, POST")
    assert answer.error == ("BAD_USER_INPUT", "Send operations by POST. A browser gets GraphiQL by GET.")


async def test_another_address_is_not_found(client: Client) -> None:
    for path in ("/graphql/", "/nope"):
        answer = Answer(await client.http.post(path, json={"query": VIEWER}))
        assert answer.status == 404
        assert answer.error == ("BAD_USER_INPUT", "There is nothing at this address. GraphQL is at /graphql.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": VIEWER, "operationName": "X"}, NO_SUCH_OPERATION),
        ({"query": TWO, "operationName": "C"}, NO_SUCH_OPERATION),
        ({"query": "fragment F on User { id }"}, NO_SUCH_OPERATION),
        ({"query": "type A { b: Int }"}, NO_SUCH_OPERATION),
        (
            {"query": 'subscription { connectionEvents(organizationId: "org_x") { id } }'},
            "A subscription is answered again and again: connect here by WebSocket (graphql-transport-ws), or send "
            "Accept: text/event-stream.",
        ),
    ],
)
@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
async def test_a_document_without_an_operation_to_run_is_refused(
    client: Client, body: dict[str, Any], message: str, accept: str
) -> None:
    for _ in range(2):  # the second time, the document could be found in the cache
        answer = await client.post(body, accept=accept)
        assert answer.status == 400
        assert answer.response.headers["content-type"] == f"{accept}; charset=utf-8"
        assert answer.error == ("BAD_USER_INPUT", message)


async def test_of_two_operations_the_named_one_runs(client: Client) -> None:
    for name, value in (("A", {"name": "owner"}), ("B", {"email": "owner@acme.example"}), ("A", {"name": "owner"})):
        assert (await client.post({"query": TWO, "operationName": name})).data == {"viewer": {"user": value}}


async def _send(client: Client, body: Any, **headers: str) -> Answer:
    sent = {"Content-Type": JSON, "Accept": JSON, "Authorization": f"Bearer {client.token}", **headers}
    return Answer(await client.http.post("/graphql", content=body, headers=sent))
