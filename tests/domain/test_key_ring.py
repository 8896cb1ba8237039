"""Data keys are wrapped by the operator's key, one of them seals, and a wrong operator's key says so."""

import re
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import EncryptionKeyMismatch
from domain.key_ring import DATA_KEY_ID_PATTERN, DataKeyState, KeyRing, LocalKeyProvider, generate_key, parse_key

PROVIDER = LocalKeyProvider(b"k" * 32)
OTHER_PROVIDER = LocalKeyProvider(b"o" * 32)


def test_a_generated_key_is_the_primary_of_its_ring() -> None:
    row = KeyRing.generate(PROVIDER)
    ring = KeyRing([row], PROVIDER)
    assert (row.state, row.provider_id, ring.primary_id) == (DataKeyState.PRIMARY, PROVIDER.id, row.id)
    assert re.fullmatch(DATA_KEY_ID_PATTERN, row.id)
    assert datetime.now(UTC) - row.created_at < timedelta(minutes=1)
    assert ring.key(row.id) == PROVIDER.unwrap(row.wrapped, row.id)
    assert len(ring.key(row.id)) == 32


def test_generated_keys_differ() -> None:
    one, other = KeyRing.generate(PROVIDER), KeyRing.generate(PROVIDER)
    assert one.id != other.id
    assert PROVIDER.unwrap(one.wrapped, one.id) != PROVIDER.unwrap(other.wrapped, other.id)


def test_the_ring_has_a_key_of_every_state_and_seals_with_the_primary() -> None:
    pending, primary, retiring = (replace(KeyRing.generate(PROVIDER), state=state) for state in DataKeyState)
    ring = KeyRing([pending, primary, retiring], PROVIDER)
    assert ring.primary_id == primary.id
    assert len({ring.key(row.id) for row in (pending, primary, retiring)}) == 3


def test_a_key_that_the_ring_lacks_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        KeyRing([KeyRing.generate(PROVIDER)], PROVIDER).key("0" * 16)


@pytest.mark.parametrize("primaries", [0, 2])
def test_a_ring_needs_exactly_one_primary(primaries: int) -> None:
    rows = [KeyRing.generate(PROVIDER) for _ in range(primaries)]
    rows.append(replace(KeyRing.generate(PROVIDER), state=DataKeyState.PENDING))
    with pytest.raises(ValueError, match=f"exactly one PRIMARY data key; there are {primaries}"):
        KeyRing(rows, PROVIDER)


def test_another_encryption_key_than_the_databases_is_told_by_name() -> None:
    message = rf"\({OTHER_PROVIDER.id}\) isn't the one that this database was set up with \({PROVIDER.id}\)"
    with pytest.raises(EncryptionKeyMismatch, match=message):
        KeyRing([KeyRing.generate(PROVIDER)], OTHER_PROVIDER)


def test_one_key_of_another_provider_is_enough_to_refuse() -> None:
    stray = replace(KeyRing.generate(OTHER_PROVIDER), state=DataKeyState.RETIRING)
    with pytest.raises(EncryptionKeyMismatch):
        KeyRing([KeyRing.generate(PROVIDER), stray], PROVIDER)


@pytest.mark.parametrize(
    "alter", [lambda text: text[:-5], lambda text: "v2" + text[2:], lambda text: "", lambda text: text + "A"]
)
def test_an_altered_row_does_not_unwrap(alter: object) -> None:
    assert callable(alter)
    row = KeyRing.generate(PROVIDER)
    with pytest.raises(EncryptionKeyMismatch, match=f"doesn't open the stored data key {row.id}") as caught:
        KeyRing([replace(row, wrapped=alter(row.wrapped))], PROVIDER)
    assert row.wrapped[3:] not in str(caught.value)


def test_a_wrapped_key_moved_to_another_id_does_not_unwrap() -> None:
    row = KeyRing.generate(PROVIDER)
    with pytest.raises(EncryptionKeyMismatch):
        KeyRing([replace(row, id="0" * 16)], PROVIDER)


def test_another_key_does_not_unwrap_even_under_the_same_provider_id() -> None:
    row = replace(KeyRing.generate(PROVIDER), provider_id=OTHER_PROVIDER.id)
    with pytest.raises(EncryptionKeyMismatch, match="doesn't open the stored data key"):
        KeyRing([row], OTHER_PROVIDER)


def test_a_provider_is_named_by_its_key_alone_without_giving_it_away() -> None:
    assert LocalKeyProvider(b"k" * 32).id == PROVIDER.id != OTHER_PROVIDER.id
    assert re.fullmatch(r"local:[0-9a-f]{12}", PROVIDER.id)


def test_a_provider_refuses_a_key_of_another_length() -> None:
    with pytest.raises(ValueError, match="must be 32 bytes; it is 16"):
        LocalKeyProvider(b"k" * 16)


def test_nothing_prints_a_key() -> None:
    row = KeyRing.generate(PROVIDER)
    ring = KeyRing([row], PROVIDER)
    shown = repr((row, ring, PROVIDER, parse_key(b64encode(b"k" * 32).decode())))
    assert "kkkk" not in shown
    assert row.wrapped not in shown
    assert repr(ring.key(row.id)) not in shown


@given(
    st.binary(min_size=32, max_size=32),
    st.sampled_from([b64encode, urlsafe_b64encode]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "\n", "\r\n", "  "]),
)
def test_a_key_is_read_in_either_base64(
    key: bytes, encode: object, padded: bool, development: bool, space: str
) -> None:
    assert callable(encode)
    text = encode(key).decode()
    text = text if padded else text.rstrip("=")
    parsed = parse_key(space + ("development:" if development else "") + text + space)
    assert (parsed.key, parsed.development) == (key, development)


@pytest.mark.parametrize("development", [True, False])
def test_a_generated_key_text_is_read_back(development: bool) -> None:
    one, other = generate_key(development=development), generate_key(development=development)
    assert parse_key(one).key != parse_key(other).key
    assert parse_key(one).development is development


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("development:", "is empty"),
        (b64encode(b"canary" * 4).decode(), "must be 32 bytes, in base64; it is 24"),
        (b64encode(b"canary" * 6).decode(), "must be 32 bytes, in base64; it is 36"),
        ("63616e617279" * 5 + "6361", "must be 32 bytes, in base64; it is 48"),
        ("canary, not base64!", "isn't base64"),
        ("canary\ncanary", "isn't base64"),
        ("canarü", "isn't base64"),
        ("canar", "isn't base64"),
        ("==", "must be 32 bytes, in base64; it is 0"),
        ("production:" + b64encode(b"canary.." * 4).decode(), "isn't base64"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_without_repeating_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_key(text)
    said = f"{caught.value} {caught.value.__context__}"
    assert "canar" not in said
    assert len(text.strip()) < 12 or text not in said
