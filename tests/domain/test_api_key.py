"""An API key comes back as it was made; a mistyped one is told by its checksum, and any other text is no key."""

import hashlib
import re
import string
import zlib
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.api_key import generate_api_key, parse_api_key

KEY_ID = UUID("0192f0c1-7d3e-7abc-8def-0123456789ab")
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


@given(st.uuids())
def test_a_generated_key_is_read_back_and_matches_its_stored_hash(key_id: UUID) -> None:
    made = generate_api_key(key_id)
    parsed = parse_api_key(made.token.reveal())
    assert parsed is not None
    assert (made.id, parsed.id) == (key_id, key_id)
    assert parsed.matches(made.secret_hash)


def test_a_key_has_the_documented_form() -> None:
    token = generate_api_key(KEY_ID).token.reveal()
    assert re.fullmatch(r"tether_[0-9a-f]{32}_[0-9A-Za-z]{49}", token)
    assert token[7:39] == KEY_ID.hex


def test_the_checksum_is_the_crc_32_of_all_before_it_in_six_base62_digits() -> None:
    token = generate_api_key(KEY_ID).token.reveal()
    value = 0
    for digit in token[-6:]:
        value = value * 62 + BASE62.index(digit)
    assert value == zlib.crc32(token[:-6].encode())


def test_only_the_hash_of_the_secret_is_for_storing() -> None:
    made = generate_api_key(KEY_ID)
    assert made.secret_hash == hashlib.sha256(made.token.reveal()[40:83].encode()).digest()


def test_two_keys_of_one_id_do_not_match_each_other() -> None:
    one, other = generate_api_key(KEY_ID), generate_api_key(KEY_ID)
    parsed = parse_api_key(one.token.reveal())
    assert parsed is not None
    assert not parsed.matches(other.secret_hash)
    assert not parsed.matches(b"")


def test_neither_secret_nor_hash_is_printed() -> None:
    made = generate_api_key(KEY_ID)
    parsed = parse_api_key(made.token.reveal())
    assert repr(made) == f"NewApiKey(id={KEY_ID!r}, token=***)"
    assert repr(parsed) == f"ParsedApiKey(id={KEY_ID!r})"


@given(st.data())
def test_any_one_changed_character_is_refused(draw: st.DataObject) -> None:
    token = generate_api_key(KEY_ID).token.reveal()
    at = draw.draw(st.integers(0, len(token) - 1))
    character = draw.draw(st.sampled_from(BASE62) | st.characters())
    changed = token[:at] + character + token[at + 1 :]
    assert (parse_api_key(changed) is None) is (changed != token)


@given(st.integers(0, 87))
def test_two_neighbours_swapped_are_refused(at: int) -> None:
    token = generate_api_key(KEY_ID).token.reveal()
    swapped = token[:at] + token[at + 1] + token[at] + token[at + 2 :]
    assert (parse_api_key(swapped) is None) is (swapped != token)


@given(st.text() | st.text(alphabet=BASE62 + "_", min_size=89, max_size=89).map(lambda text: "tether_" + text[7:]))
def test_any_other_text_is_no_key(text: str) -> None:
    assert parse_api_key(text) is None


def test_a_key_with_anything_around_it_is_no_key() -> None:
    token = generate_api_key(KEY_ID).token.reveal()
    for text in (f"{token}\n", f" {token}", token[:-1], token + token[-1], token.upper(), "Bearer " + token):
        assert parse_api_key(text) is None


def test_a_huge_text_is_no_key() -> None:
    assert parse_api_key("tether_" + "0" * 50_000_000) is None
