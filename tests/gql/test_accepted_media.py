"""The header Accept, whatever is in it: what is no media range is passed over, and what is one counts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql.http.accepted_media import EVENT_STREAM, JSON, MULTIPART, RESPONSE_JSON, AcceptedMedia

PARTS = ["a/b", "*/*", JSON, RESPONSE_JSON, EVENT_STREAM, MULTIPART, ",", ";", "q=0.5", "q=", "=", '"', "\\", " ", "x"]
NOTHING = AcceptedMedia(None, None)


@given(st.one_of(st.text(max_size=400), st.lists(st.sampled_from(PARTS), max_size=60).map("".join)))
def test_any_header_can_be_read(header: str) -> None:
    accepted = AcceptedMedia.of(header)
    assert accepted.json in {None, JSON, RESPONSE_JSON}
    assert accepted.stream in {None, EVENT_STREAM, MULTIPART}


@given(st.lists(st.sampled_from(["", ";", "nonsense", "x;q=1", "text/plain", 'a/b;c=",;"', "a/b;q=2"])), st.data())
def test_what_isnt_meant_for_us_changes_nothing(others: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(others)))
    header = ",".join([*others[:place], f"{RESPONSE_JSON};q=0.3", *others[place:]])
    assert AcceptedMedia.of(header) == AcceptedMedia(RESPONSE_JSON, None)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", AcceptedMedia(JSON, None)),
        (" , ", AcceptedMedia(JSON, None)),
        ("text/html", NOTHING),
        ("text/*", NOTHING),
        (f"{JSON};q=0", NOTHING),
        (f"{JSON};q=0.0, application/*;q=0.000", NOTHING),
        (f"{JSON};q=1.5", AcceptedMedia(JSON, None)),  # no range that can be read, as if nothing were said
        ("*/*", AcceptedMedia(JSON, None)),
        (f"*/*, {EVENT_STREAM}", AcceptedMedia(JSON, EVENT_STREAM)),
        (EVENT_STREAM, AcceptedMedia(None, EVENT_STREAM)),
        (f"{MULTIPART}", NOTHING),
        (f"{MULTIPART};subscriptionSpec=2.0", NOTHING),
        (f'{MULTIPART}; boundary="a,b"; SubscriptionSpec="1.0"', AcceptedMedia(None, MULTIPART)),
        (f"{EVENT_STREAM};q=0.4, {MULTIPART};subscriptionSpec=1.0;q=0.5", AcceptedMedia(None, MULTIPART)),
        (f"{MULTIPART};subscriptionSpec=1.0, {EVENT_STREAM}", AcceptedMedia(None, MULTIPART)),
    ],
)
def test_forms_are_chosen_by_quality_then_by_their_order(header: str, accepted: AcceptedMedia) -> None:
    assert AcceptedMedia.of(header) == accepted


@pytest.mark.parametrize("text", ['"', ",", ";", "a/b;q=0.1,", '"\\', "a", 'text/html;x="",', " ", "a/b,"])
@pytest.mark.parametrize("length", [65_536, 5_000_000])
def test_however_long_a_header_is_it_is_read_in_no_time(text: str, length: int) -> None:
    header = text * (length // len(text))
    began = time.process_time()
    AcceptedMedia.of(header)
    assert time.process_time() - began < 0.05
