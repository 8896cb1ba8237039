"""A Secret doesn't slip out by any of the usual ways."""

import copy
import hashlib
import json
import logging
import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.secret import Secret, fingerprint

TEXT = "canary-" + "0123456789"


def test_reveal_gives_the_text() -> None:
    assert Secret(TEXT).reveal() == TEXT


def test_every_way_to_print_it_shows_stars() -> None:
    secret = Secret(TEXT)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret:>20}"]
    assert shown == ["***"] * len(shown)
    assert repr({"token": [secret]}) == "{'token': [***]}"
    assert logging.makeLogRecord({"msg": "%s %r", "args": (secret, secret)}).getMessage() == "*** ***"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_does_not_pickle(protocol: int) -> None:
    with pytest.raises(TypeError, match="can't be pickled") as caught:
        pickle.dumps({"token": Secret(TEXT)}, protocol)
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize("dump", [json.dumps, orjson.dumps])
def test_it_does_not_become_json(dump: object) -> None:
    assert callable(dump)
    with pytest.raises(TypeError) as caught:
        dump({"token": Secret(TEXT)})
    assert TEXT not in str(caught.value)


def test_it_has_no_attribute_dictionary_to_dump() -> None:
    assert not hasattr(Secret(TEXT), "__dict__")


def test_a_copy_is_the_same_object() -> None:
    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@given(st.text(), st.text())
def test_equality_is_that_of_the_texts(one: str, other: str) -> None:
    assert Secret(one) == Secret(one)
    assert (Secret(one) == Secret(other)) is (one == other)


def test_it_equals_no_plain_text_and_cannot_be_hashed() -> None:
    assert Secret(TEXT) != TEXT
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(TEXT))


def test_text_that_is_not_unicode_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="lone surrogates") as caught:
        Secret(TEXT + "\ud800")
    assert TEXT not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_fingerprint_is_the_start_of_the_sha_256_that_anyone_can_compute() -> None:
    assert fingerprint(Secret(TEXT)) == "sha256:" + hashlib.sha256(TEXT.encode()).hexdigest()[:12]


@given(st.text(), st.text())
def test_fingerprints_tell_secrets_apart(one: str, other: str) -> None:
    assert (fingerprint(Secret(one)) == fingerprint(Secret(other))) is (one == other)
