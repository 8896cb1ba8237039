"""The file that describes services: what is read from it, and that every mistake is told with its place."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import OutboundAllow
from domain.secret import Secret
from domain.services.base import ServiceScope
from domain.services.generic import AccountPaths, GenericServiceDescription, read_descriptions
from domain.services.generic.description_reader import BUILT_IN
from domain.services.github import GitHub
from domain.services.gitlab import GitLab
from domain.services.oauth_client import OAuthClient
from domain.services.slack import Slack
from domain.services.token_endpoint import ClientAuthentication

SMALLEST = """\
[services.acme]
name = "Acme"
documentation_url = "https://acme.example/docs"
authorize_url = "https://acme.example/oauth/authorize"
token_url = "https://acme.example/oauth/token"
identity_url = "https://acme.example/me"
client_id = "tether"
client_secret = "canary-secret"
"""
LARGEST = (
    SMALLEST.replace('client_secret = "canary-secret"', 'client_secret_env = "ACME_SECRET"')
    + """\
description = "Everything at Acme."
revocation_url = "https://acme.example/oauth/revoke"
issuer = "https://acme.example"
client_authentication = "post"
pkce = false
scope_separator = ","
scopes = [
    { name = "read", description = "Read everything.", required = true },
    { name = "write:all", description = "Change everything." },
]

[services.acme.account]
id = "data.viewer.id"
name = "data.viewer.login"
url = "data.viewer.url"
avatar_url = "data.viewer.avatar"
"""
)


def mistakes(text: str, allow: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ValueError) as wrong:
        read_descriptions(text, OutboundAllow.parse(allow), environ or {})
    assert "canary" not in str(wrong.value)
    return str(wrong.value).splitlines()


def changed(key: str, value: str | None) -> str:
    """The smallest file with another value for a key, or without it."""
    line = "" if value is None else f"{key} = {value}\n"
    text, count = re.subn(rf"^{key} = .*\n", lambda _: line, SMALLEST, flags=re.MULTILINE)
    return text if count else SMALLEST + line


def test_a_small_description_is_openid_connect_with_pkce() -> None:
    [found] = read_descriptions(SMALLEST, OutboundAllow(), {})

    assert found == GenericServiceDescription(
        id="acme",
        name="Acme",
        description="Accounts at Acme, through OAuth or a token.",
        documentation_url="https://acme.example/docs",
        authorize_url="https://acme.example/oauth/authorize",
        token_url="https://acme.example/oauth/token",
        identity_url="https://acme.example/me",
        client=OAuthClient("tether", Secret("canary-secret")),
    )
    assert (found.pkce, found.client_authentication, found.account.id) == (True, ClientAuthentication.BASIC, "sub")
    assert "canary" not in repr(found)


def test_everything_can_be_said() -> None:
    [found] = read_descriptions(LARGEST, OutboundAllow(), {"ACME_SECRET": " canary-secret\n"})

    assert found.description == "Everything at Acme."
    assert found.revocation_url == "https://acme.example/oauth/revoke"
    assert found.issuer == "https://acme.example"
    assert found.client == OAuthClient("tether", Secret("canary-secret"))
    assert found.client_authentication is ClientAuthentication.POST
    assert (found.pkce, found.scope_separator) == (False, ",")
    assert found.scopes == (
        ServiceScope("read", "Read everything.", required=True),
        ServiceScope("write:all", "Change everything."),
    )
    assert found.account == AccountPaths("data.viewer.id", "data.viewer.login", "data.viewer.url", "data.viewer.avatar")


def test_services_keep_the_files_order_and_an_empty_file_has_none() -> None:
    two = SMALLEST.replace("services.acme", "services.zebra") + SMALLEST
    assert [each.id for each in read_descriptions(two, OutboundAllow(), {})] == ["zebra", "acme"]
    assert list(read_descriptions("", OutboundAllow(), {})) == []


def test_the_ids_of_the_built_in_services_are_taken() -> None:
    assert {GitHub.id, GitLab.id, Slack.id} == BUILT_IN
    for service_id in BUILT_IN:
        text = SMALLEST.replace("services.acme", f"services.{service_id}")
        assert mistakes(text) == [f"services.{service_id}: is the id of a service that Tether has already."]


@pytest.mark.parametrize("service_id", ["a", "Acme", "1acme", "acme_id", '"a b"', '"ä"', '"a\\nb"', "a" * 32, '""'])
def test_an_id_is_short_and_plain(service_id: str) -> None:
    [mistake] = mistakes(SMALLEST.replace("services.acme", f"services.{service_id}"))
    assert mistake.endswith(
        ": can't be an id: it has to be 2 to 31 small letters, digits and hyphens, beginning with a letter."
    )


REQUIRED = ["name", "documentation_url", "authorize_url", "token_url", "identity_url", "client_id"]


@pytest.mark.parametrize("key", REQUIRED)
def test_what_is_missing_is_told(key: str) -> None:
    assert mistakes(changed(key, None)) == [f"services.acme.{key}: is missing."]


@pytest.mark.parametrize(
    ("key", "value", "mistake"),
    [
        ("name", '" "', "has to be a text, and not empty."),
        ("name", "7", "has to be a text, and not empty."),
        ("pkce", '"yes"', "has to be true or false."),
        ("client_authentication", '"none"', 'has to be one of: "basic", "post".'),
        ("scope_separator", '";"', 'has to be one of: " ", ",".'),
        ("scopes", '"read"', "has to be a list of tables, such as [{ name = …, description = … }]."),
        ("account", '"sub"', "has to be a table."),
        ("account.id", '"a..b"', "has to be keys with dots between, such as data.viewer.id."),
        ("account.ids", '"a"', "is no key that is known here. Did you mean id?"),
        ("tokn_url", '"canary"', "is no key that is known here. Did you mean token_url?"),
        ("client_secret_env", '"X"', None),
        ("client_secret", None, "has to be set, either here or by client_secret_env, and not by both."),
    ],
)
def test_what_is_wrong_is_told_with_its_place(key: str, value: str | None, mistake: str | None) -> None:
    found = mistakes(changed(key, value))
    if mistake is None:
        assert found == [
            "services.acme.client_secret: has to be set, either here or by client_secret_env, and not by both.",
            "services.acme.client_secret_env: names a variable of the environment that isn't set.",
        ]
    else:
        assert found == [f"services.acme.{key}: {mistake}"]


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        (
            "http://acme.example/token",
            "has to be https://…: http:// is only for hosts that TETHER_OUTBOUND_ALLOW names.",
        ),
        ("https://canary@acme.example/", "has to be an address such as"),
        ("https://acme.example:99999/", "has to be an address such as"),
        ("https://[::1/", "has to be an address such as"),
        ("https://acme.example/a b", "has to be an address such as"),
        ("ftp://acme.example/", "has to be an address such as"),
        ("acme.example", "has to be an address such as"),
        ("https://acme.example/?a=1", "may have neither a query nor a fragment."),
        ("https://acme.example/#a", "may have neither a query nor a fragment."),
        ("http://0x7f.1/", "names its host by an unusual spelling of an address."),
    ],
)
def test_an_address_is_https_and_plain(value: str, mistake: str) -> None:
    [found] = mistakes(changed("token_url", f'"{value}"'))
    assert found.startswith(f"services.acme.token_url: {mistake}")


def test_an_allowed_host_may_do_without_tls_and_authorize_may_have_a_query() -> None:
    text = changed("token_url", '"http://127.0.0.1:8010/openid/token"')
    assert mistakes(text) != []
    [found] = read_descriptions(text, OutboundAllow.parse("127.0.0.1"), {})
    assert found.token_url == "http://127.0.0.1:8010/openid/token"

    [asking] = read_descriptions(changed("authorize_url", '"https://a.example/o?prompt=consent"'), OutboundAllow(), {})
    assert asking.authorize_url == "https://a.example/o?prompt=consent"


def test_a_scope_has_a_name_that_can_be_sent_once() -> None:
    scopes = (
        '[{ name = "a b", description = "x" }, { name = "c" }, { name = "c", description = "x", requird = true }, 7]'
    )
    assert mistakes(changed("scopes", scopes)) == [
        "services.acme.scopes[0].name: can't be a scope: it has a space, a comma or what scopes don't have.",
        "services.acme.scopes[1].description: is missing.",
        "services.acme.scopes[2].name: names a scope for the second time.",
        "services.acme.scopes[2].requird: is no key that is known here. Did you mean required?",
        "services.acme.scopes[3]: has to be a table.",
    ]


def test_all_mistakes_of_all_services_are_told_at_once() -> None:
    text = "extra = 1\n" + changed("name", None) + SMALLEST.replace("acme]", "beta]").replace('"tether"', "7")
    assert mistakes(text) == [
        "services.acme.name: is missing.",
        "services.beta.client_id: has to be a text, and not empty.",
        "extra: is no key that is known here. Did you mean services?",
    ]


@pytest.mark.parametrize(
    "text",
    ["services = 1", "[services]\nacme = 'canary'", "[[services]]"],
)
def test_services_are_tables(text: str) -> None:
    [found] = mistakes(text)
    assert found.endswith(": has to be a table.")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[services.acme]\nclient_secret = "canary\n', "(at line 2, column 24)"),
        (SMALLEST + SMALLEST, "(at line 9, column 15)"),
        ("a = " + "[" * 100_000, ""),
    ],
)
def test_what_is_not_toml_is_told_by_its_place_alone(text: str, where: str) -> None:
    assert mistakes(text) == [f"The file isn't TOML{f' {where}' if where else ''}."]


def test_an_environment_that_is_not_text_is_told() -> None:
    text = changed("client_secret", None) + 'client_secret_env = "X"\n'
    assert mistakes(text, environ={"X": "\udcff"}) == [
        "services.acme.client_secret_env: names a variable of the environment that isn't UTF-8 text."
    ]


keys = st.sampled_from([*REQUIRED, "client_secret", "scopes", "account", "pkce", "issuer", "revocation_url"])
values = st.sampled_from(
    ['""', '"canary"', "1", "true", "[]", "[1]", "{}", '{ id = "a" }', '["a"]', "1979-05-27", "nan"]
)


@given(st.dictionaries(keys, values))
def test_any_file_is_read_or_told_what_is_wrong(written: dict[str, str]) -> None:
    text = "[services.acme]\n" + "".join(f"{key} = {value}\n" for key, value in written.items())
    for line in mistakes(text):
        assert re.fullmatch(r"services\.acme(\.[a-z_]+(\[\d+\])?)*: .+\.", line) or line.endswith("?")
