"""How much one caller, and all together, may have open in a process."""

from contextlib import ExitStack

import pytest
from starlette.requests import HTTPConnection

from domain.errors import TooMuchOpen
from gql.http.client import client_network
from gql.http.open_streams import OpenStreams
from gql.limit_settings import Limits


def _streams(*, most: int, most_of_one: int, most_operations_of_one: int) -> OpenStreams:
    limits = Limits(open_streams=most, caller_streams=most_of_one, caller_operations=most_operations_of_one)
    return OpenStreams(limits)


def test_one_caller_has_so_many_open_and_another_one_too() -> None:
    streams = _streams(most=10, most_of_one=2, most_operations_of_one=9)
    with streams.open("ada"), streams.open("ada") as second:
        with pytest.raises(TooMuchOpen, match="You have 2 sockets and streams open"), streams.open("ada"):
            raise AssertionError("a third was opened")
        with streams.open("bob") as other, streams.open("bob"):
            with pytest.raises(TooMuchOpen):
                other.belongs_to("ada")
            with pytest.raises(TooMuchOpen):
                second.belongs_to("bob")
    with streams.open("ada"), streams.open("ada"):
        pass


def test_all_together_have_so_many() -> None:
    streams = _streams(most=3, most_of_one=3, most_operations_of_one=9)
    with ExitStack() as open_now:
        for caller in ("ada", "bob", "cem"):
            open_now.enter_context(streams.open(caller))
        with pytest.raises(TooMuchOpen, match="keeps at most 3"):
            open_now.enter_context(streams.open("dan"))
    with streams.open("dan"):
        pass


def test_strangers_who_cannot_be_told_apart_count_only_for_all() -> None:
    streams = _streams(most=3, most_of_one=1, most_operations_of_one=1)
    with streams.open(None) as first, streams.open(None) as second, first.operation(), second.operation():
        second.belongs_to("ada")
        with pytest.raises(TooMuchOpen):
            first.belongs_to("ada")


def test_a_stranger_who_turns_out_to_be_somebody_counts_as_them_from_then_on() -> None:
    streams = _streams(most=10, most_of_one=1, most_operations_of_one=9)
    with streams.open("192.0.2.1") as stream:
        stream.belongs_to("ada")
        stream.belongs_to("ada")
        with streams.open("192.0.2.1"), pytest.raises(TooMuchOpen), streams.open("ada"):
            raise AssertionError("ada has one already")
    with streams.open("ada"):
        pass


def test_operations_count_for_all_that_their_caller_has_open() -> None:
    streams = _streams(most=10, most_of_one=5, most_operations_of_one=2)
    with ExitStack() as open_now:
        first, second, other = [open_now.enter_context(streams.open(caller)) for caller in ("ada", "ada", "bob")]
        with first.operation(), second.operation(), other.operation():
            with pytest.raises(TooMuchOpen, match="You run 2 operations"):
                open_now.enter_context(first.operation())
            open_now.enter_context(other.operation())
        open_now.enter_context(first.operation())


def test_what_fails_gives_its_place_back() -> None:
    streams = _streams(most=1, most_of_one=1, most_operations_of_one=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), streams.open("ada") as stream, stream.operation():
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("client", "network"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (None, ""),
        (("testclient", 1), ""),
    ],
)
def test_strangers_are_counted_by_what_one_of_them_can_hold(client: tuple[str, int] | None, network: str) -> None:
    assert client_network(HTTPConnection({"type": "websocket", "client": client, "headers": []})) == network
