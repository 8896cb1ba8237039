"""The core of the simulated OAuth servers: codes that are good once and for a while, and families of tokens."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sandbox.oauth import Client, Issued, OAuthServer, Refused, challenge_of
from sandbox.tokens import Service
from tests.sandbox.conftest import MovableClock

BACK = "https://tether.example/back"


@pytest.fixture
def forgotten() -> list[str]:
    return []


@pytest.fixture
def server(clock: MovableClock, forgotten: list[str]) -> OAuthServer[str]:
    return OAuthServer[str](clock, forgotten.append, access_prefix="a-", refresh_prefix="r-")


def client() -> Client:
    return Client(service=Service.GITHUB, id="c", secret="s", redirect_uris=(BACK,))


def issued(answer: Issued[str] | Refused) -> Issued[str]:
    assert isinstance(answer, Issued), answer
    return answer


def test_a_code_is_good_once_and_a_second_use_ends_what_it_brought(
    server: OAuthServer[str], forgotten: list[str]
) -> None:
    known = client()
    code = server.authorize(known, "somebody", redirect_uri=BACK, scopes=["one"])
    tokens = issued(server.redeem(known, code, redirect_uri=BACK))

    assert (tokens.subject, tokens.scopes) == ("somebody", ("one",))
    assert tokens.access_token.startswith("a-")
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.startswith("r-")
    assert server.redeem(known, code, redirect_uri=BACK) is Refused.CODE
    assert forgotten == [tokens.access_token]
    assert server.refresh(known, tokens.refresh_token) is Refused.REFRESH_TOKEN


def test_a_code_is_good_for_ten_minutes(server: OAuthServer[str], clock: MovableClock) -> None:
    known = client()
    code = server.authorize(known, "somebody", redirect_uri=BACK)
    clock.advance(minutes=10)

    assert server.redeem(known, code, redirect_uri=BACK) is Refused.CODE


def test_a_code_belongs_to_its_client_address_and_verifier(server: OAuthServer[str]) -> None:
    known, another = client(), client()
    code = server.authorize(known, "somebody", redirect_uri=BACK, code_challenge=challenge_of("v" * 43))

    assert server.redeem(another, code, redirect_uri=BACK, code_verifier="v" * 43) is Refused.CODE
    assert server.redeem(known, "unknown", redirect_uri=BACK, code_verifier="v" * 43) is Refused.CODE
    assert server.redeem(known, code, redirect_uri=f"{BACK}/", code_verifier="v" * 43) is Refused.REDIRECT_URI
    assert server.redeem(known, code, redirect_uri=BACK, code_verifier="w" * 43) is Refused.VERIFIER
    assert server.redeem(known, code, redirect_uri=BACK) is Refused.VERIFIER
    issued(server.redeem(known, code, redirect_uri=BACK, code_verifier="v" * 43))


def test_the_challenge_is_that_of_the_rfc() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def tokens_of(server: OAuthServer[str], known: Client) -> Issued[str]:
    code = server.authorize(known, "somebody", redirect_uri=BACK)
    return issued(server.redeem(known, code, redirect_uri=BACK))


def test_a_refresh_token_is_good_once_and_a_second_use_ends_the_family(
    server: OAuthServer[str], forgotten: list[str]
) -> None:
    known = client()
    first = tokens_of(server, known)
    second = issued(server.refresh(known, first.refresh_token or ""))
    assert forgotten == [first.access_token]

    assert server.refresh(known, first.refresh_token or "") is Refused.REFRESH_TOKEN

    assert second.access_token in forgotten
    assert server.refresh(known, second.refresh_token or "") is Refused.REFRESH_TOKEN
    assert (known.refreshes, known.reuses) == (1, 1)


def test_a_client_can_leave_the_old_access_token_alive(server: OAuthServer[str], forgotten: list[str]) -> None:
    known = replace(client(), refresh_ends_access=False)
    issued(server.refresh(known, tokens_of(server, known).refresh_token or ""))

    assert forgotten == []


def test_a_refresh_token_ends(server: OAuthServer[str], clock: MovableClock) -> None:
    known = replace(client(), refresh_lifetime_seconds=60)
    first = tokens_of(server, known)
    assert first.refresh_expires_in_seconds == 60
    clock.moment += timedelta(seconds=60)

    assert server.refresh(known, first.refresh_token or "") is Refused.REFRESH_TOKEN


def test_tokens_without_an_end_have_no_refresh_token(server: OAuthServer[str]) -> None:
    tokens = tokens_of(server, replace(client(), access_lifetime_seconds=None))

    assert (tokens.refresh_token, tokens.expires_in_seconds, tokens.refresh_expires_in_seconds) == (None, None, None)


def test_an_access_token_refreshes_nothing(server: OAuthServer[str], forgotten: list[str]) -> None:
    known = client()

    assert server.refresh(known, tokens_of(server, known).access_token) is Refused.REFRESH_TOKEN
    assert forgotten == []


def test_revoking_either_token_ends_both_once(server: OAuthServer[str], forgotten: list[str]) -> None:
    known = client()
    tokens = tokens_of(server, known)

    assert not server.revoke(client(), tokens.access_token)
    assert server.revoke(known, tokens.refresh_token or "")
    assert not server.revoke(known, tokens.access_token)
    assert forgotten == [tokens.access_token]


@pytest.mark.parametrize(
    ("registered", "asked", "allowed"),
    [
        ("https://t.example/back", "https://t.example/back", True),
        ("https://t.example/back", "https://t.example/back/", False),
        ("https://t.example/back", "https://t.example/back?x=1", False),
        ("https://t.example/back", "https://t.example:444/back", False),
        ("http://127.0.0.1/back", "http://127.0.0.1:8123/back", True),
        ("http://127.0.0.1/back", "http://127.0.0.1:8123/elsewhere", False),
        ("http://127.0.0.1/back", "http://127.0.0.1.evil.example/back", False),
        ("http://127.0.0.1:8000/back", "http://127.0.0.1:8001/back", False),
    ],
)
def test_only_a_registered_address_is_sent_back_to(registered: str, asked: str, allowed: bool) -> None:
    known = Client(service=Service.GITHUB, id="c", secret="s", redirect_uris=(registered,))

    assert known.allows(asked) is allowed
    assert known.is_authentic("s")
    assert not known.is_authentic("sé")
