"""What browsers get over HTTP: GraphiQL's page, its files and its sign-in; the start page."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest

from domain.key_ring import generate_key
from gql.http.application import create_application
from gql.http.graphiql import FRONT_END
from gql.sample import FOUNDER, create_sample
from gql.schema import build_schema
from persistence import migrations
from tests.documented_examples import examples_of
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, SESSION, WHO, a_browser_at
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

JSON = {"Accept": "application/json"}


@pytest.fixture
async def sample(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """In development, with the sample organization there from its start."""
    async with running_tether(sqlite_url, sandbox, encryption_key) as first:
        await create_sample(first.tether)
    async with running_tether(sqlite_url, sandbox, encryption_key) as server:
        yield server


@pytest.fixture
async def production(sqlite_url: str, sandbox: SandboxServer) -> AsyncIterator[TetherServer]:
    key, url = generate_key(), "https://tether.example.com"
    async with running_tether(
        sqlite_url, sandbox, key, TETHER_ENVIRONMENT="production", TETHER_PUBLIC_URL=url
    ) as server:
        yield server


def built(folder: Path) -> Path:
    """A front end of which the build is as small as can be."""
    front_end = not_built(folder)
    (front_end / "dist").mkdir()
    (front_end / "dist/page-A.js").write_text("1", "ascii")
    (front_end / "dist/page-A.css").write_text("a {}", "ascii")
    (front_end / "dist/manifest.json").write_text('{"script": "page-A.js", "style": "page-A.css"}', "ascii")
    return front_end


def not_built(folder: Path) -> Path:
    shutil.copyfile(FRONT_END / "page.html", folder / "page.html")
    shutil.copytree(FRONT_END / "src", folder / "src")
    shutil.copytree(FRONT_END / "examples", folder / "examples")
    return folder


def browser(server: TetherServer, front_end: Path = FRONT_END) -> httpx2.AsyncClient:
    """On the server's own machine, with cookies."""
    application = create_application(server.tether, front_end)
    return httpx2.AsyncClient(
        verify=NO_TLS,
        transport=httpx2.ASGITransport(application),
        base_url="http://127.0.0.1",
        headers={"Accept": "text/html"},
    )


# GraphiQL


def test_the_examples_in_the_tabs_are_the_readmes() -> None:
    first, connect, check, watch = (example.text for example in examples_of("README.md"))
    files = sorted((FRONT_END / "examples").iterdir())
    assert [file.read_text("utf-8") for file in files] == [first, f"{connect}\n{check}", watch]


async def test_a_built_page_loads_and_runs_nothing_but_files_of_this_server(
    sample: TetherServer, tmp_path: Path
) -> None:
    async with browser(sample, built(tmp_path)) as client:
        page = await client.get("/graphql")
        policy = _policy(page)

        assert (policy["default-src"], policy["script-src"], policy["worker-src"]) == ("'none'", "'self'", "'self'")
        assert policy["connect-src"] == "'self'"
        assert "unsafe-eval" not in page.headers["content-security-policy"]
        assert re.findall(r"(?:src|href)=\"(?!data:)([^\"]+)", page.text) == [
            "/graphiql/page-A.css",
            "/graphiql/page-A.js",
            "/",
        ]
        script, style = await client.get("/graphiql/page-A.js"), await client.get("/graphiql/page-A.css")
        assert (script.text, style.text) == ("1", "a {}")
        assert script.headers["content-type"].startswith("text/javascript")
        assert style.headers["content-type"].startswith("text/css")
        for file in (script, style):
            assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert file.headers["x-content-type-options"] == "nosniff"
            assert file.headers["content-security-policy"] == "default-src 'none'"  # a worker's


async def test_where_nothing_is_built_the_page_loads_files_of_a_cdn_by_their_hashes(
    sample: TetherServer, tmp_path: Path
) -> None:
    async with browser(sample, not_built(tmp_path)) as client:
        page = await client.get("/graphql")
        policy = _policy(page)
        tags = re.findall(r"<(?:script|link)[^>]+https://[^>]+>", page.text)
        urls = [re.findall(r"(?:src|href)=\"([^\"]+)", tag)[0] for tag in tags]

        assert len(urls) == 5
        assert all(re.search(r" integrity=\"sha384-[\w+/]{64}\" crossorigin>", tag) for tag in tags)
        assert all(re.fullmatch(r"https://unpkg\.com/[\w-]+@\d+\.\d+\.\d+/.+", url) for url in urls)
        allowed = f"{policy['script-src']} {policy['style-src']}".split()
        assert [source for source in allowed if source.startswith("https:")] == sorted(
            urls, key=lambda url: url.endswith(".css")
        )
        assert "unsafe-eval" not in page.headers["content-security-policy"]
        for name in re.findall(r"\"(/graphiql/[^\"]+)", page.text):
            own = await client.get(name)
            assert (own.status_code, own.headers["cache-control"]) == (200, "no-cache")


async def test_no_file_but_the_front_ends_is_served(sample: TetherServer, tmp_path: Path) -> None:
    async with browser(sample, built(tmp_path)) as client:
        for path in ("/graphiql/", "/graphiql/nope.js", "/graphiql/%2e%2e/page.html", "/graphiql/..%2fpage.html"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "BAD_USER_INPUT")


async def test_the_page_signs_in_until_somebody_signs_out(sample: TetherServer) -> None:
    async with browser(sample) as client:
        await client.get("/graphql")
        assert await person(client) == FOUNDER
        begun = client.cookies.get(SESSION)
        await client.get("/graphql")
        assert client.cookies.get(SESSION) == begun  # who is signed in stays so

        assert (await client.post("/sign-out", headers=CSRF)).status_code == 204
        assert await person(client) is None
        await client.get("/graphql")
        assert await person(client) is None


async def test_signing_in_in_so_many_words_ends_being_signed_out(sample: TetherServer) -> None:
    async with a_browser_at(sample) as visitor:
        await visitor.get("/graphql")
        await visitor.sign_out()
        await visitor.sign_in("ada@acme.example", name="Ada")
        await visitor.get("/graphql")
        assert await visitor.who() == "ada@acme.example"
        visitor.http.cookies.delete(SESSION)  # when it has ended, it is as in the beginning
        await visitor.get("/graphql")
        assert await visitor.who() == FOUNDER


async def test_no_other_machine_and_no_other_name_is_signed_in(sample: TetherServer) -> None:
    async with browser(sample) as client:
        for headers in (
            {"Host": "elsewhere.example"},
            {"X-Forwarded-For": "203.0.113.7"},
            {"Sec-Purpose": "prefetch"},
            {"Sec-Fetch-Dest": "iframe"},
        ):
            page = await client.get("/graphql", headers=headers)
            assert (page.status_code, "set-cookie" in page.headers) == (200, False)


async def test_production_signs_nobody_in(production: TetherServer) -> None:
    async with browser(production) as client:
        page = await client.get("/graphql")
        assert "set-cookie" not in page.headers
        assert _page_data(page)["signIn"] is None


async def test_where_browsers_can_sign_in_the_page_knows_where(sample: TetherServer) -> None:
    async with browser(sample) as client:
        data = _page_data(await client.get("/graphql"))
        assert (data["signIn"], data["signOut"]) == (f"{sample.url}/sign-in", "/sign-out")


# The start page


async def test_the_start_page_says_what_runs_and_leads_on(sample: TetherServer) -> None:
    async with browser(sample) as client:
        page = await client.get("/")
        facts = dict(re.findall(r"<dt>(.+?)</dt><dd>(.+?)</dd>", page.text))
        assert facts == {
            "Version": version("tether"),
            "Environment": "development",
            "Database": "SQLite",
            "Migration": f"{migrations.head()}, the newest",
            "Signed in": f"{FOUNDER}, an owner of acme, in a browser on this machine",
        }
        links = re.findall(r'href="(/[^"]*)"', page.text)
        assert links == ["/graphql", "/sign-in", "/schema.graphql", "/livez", "/readyz"]
        for link in links:
            assert (await client.get(link)).status_code in {200, 303}
        assert (await client.get("/schema.graphql")).text == build_schema().as_str()


async def test_the_start_page_runs_nothing_and_has_just_its_own_styles(sample: TetherServer) -> None:
    async with browser(sample) as client:
        page = await client.get("/")
        [style] = re.findall(r"<style>(.+?)</style>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = _policy(page)
        assert "<script" not in page.text
        assert "script-src" not in policy
        assert (policy["default-src"], policy["style-src"]) == ("'none'", f"'sha256-{digest}'")


async def test_in_production_the_start_page_tells_nothing_of_the_inside(production: TetherServer) -> None:
    async with browser(production) as client:
        page = await client.get("/")
        assert set(re.findall(r"<dt>(.+?)</dt>", page.text)) == {"Version", "Environment", "Database"}
        settings = production.tether.settings
        for secret in (settings.database_url, settings.public_url, "127.0.0.1", "acme", ".db"):
            assert secret not in page.text
        assert "/schema.graphql" not in page.text
        assert (await client.get("/schema.graphql")).status_code == 404


async def person(client: httpx2.AsyncClient) -> str | None:
    """The e-mail address of who is signed in."""
    answer = await client.post("/graphql", json=WHO, headers={**JSON, **CSRF})
    body = answer.json()
    email: str | None = body["data"]["viewer"]["user"]["email"] if body.get("data") else None
    return email


def _page_data(page: httpx2.Response) -> Any:
    [data] = re.findall(r"<script type=\"application/json\" id=\"tether\">(.+)</script>", page.text)
    return json.loads(data)


def _policy(page: httpx2.Response) -> dict[str, str]:
    directives = page.headers["content-security-policy"].split("; ")
    return {name: sources for name, _, sources in (directive.partition(" ") for directive in directives)}
