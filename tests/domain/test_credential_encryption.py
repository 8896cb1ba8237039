"""A sealed credential opens in its own place with its own key, and nowhere else."""

import re
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.credential_encryption import CredentialEncryption, SealedSecret
from domain.errors import CredentialUnreadable
from domain.key_ring import DataKeyState, KeyRing, LocalKeyProvider
from domain.secret import Secret

PROVIDER = LocalKeyProvider(b"k" * 32)
OLD_KEY, NEW_KEY = KeyRing.generate(PROVIDER), KeyRing.generate(PROVIDER)
ENCRYPTION = CredentialEncryption(KeyRing([OLD_KEY], PROVIDER))
ORGANIZATION, CONNECTION = UUID(int=1), UUID(int=2)
TEXT = '{"token":"canary-' + '0123456789"}'


def seal(text: str = TEXT, encryption: CredentialEncryption = ENCRYPTION) -> SealedSecret:
    return encryption.seal(Secret(text), organization_id=ORGANIZATION, connection_id=CONNECTION, field="credential")


def unseal(sealed: SealedSecret, encryption: CredentialEncryption = ENCRYPTION) -> str:
    secret = encryption.open(sealed, organization_id=ORGANIZATION, connection_id=CONNECTION, field="credential")
    return secret.reveal()


@given(st.text())
def test_what_is_sealed_opens(text: str) -> None:
    assert unseal(seal(text)) == text


def test_a_blob_reads_version_key_id_and_base64url() -> None:
    sealed = seal()
    assert re.fullmatch(r"v1\.[0-9a-f]{16}\.[A-Za-z0-9_-]+", sealed.blob)
    assert sealed.blob.split(".")[1] == sealed.key_id == OLD_KEY.id


def test_a_blob_does_not_show_in_a_log() -> None:
    assert repr(seal()) == "SealedSecret()"


def test_the_same_secret_sealed_twice_differs() -> None:
    assert seal().blob != seal().blob


@pytest.mark.parametrize(
    ("organization_id", "connection_id", "field"),
    [
        (uuid4(), CONNECTION, "credential"),
        (ORGANIZATION, uuid4(), "credential"),
        (ORGANIZATION, CONNECTION, "webhook_secret"),
        (CONNECTION, ORGANIZATION, "credential"),
    ],
    ids=["another organization", "another connection", "another field", "organization and connection swapped"],
)
def test_it_does_not_open_elsewhere(organization_id: UUID, connection_id: UUID, field: str) -> None:
    with pytest.raises(CredentialUnreadable, match="sealed for another connection"):
        ENCRYPTION.open(seal(), organization_id=organization_id, connection_id=connection_id, field=field)


@given(st.data())
def test_no_single_character_can_be_changed(draw: st.DataObject) -> None:
    blob = seal().blob
    at = draw.draw(st.integers(0, len(blob) - 1))
    character = draw.draw(st.sampled_from("01abAB-_.=") | st.characters())
    changed = blob[:at] + character + blob[at + 1 :]
    assume(changed != blob)
    assert_unreadable(changed)


@given(st.data())
def test_no_truncation_opens(draw: st.DataObject) -> None:
    blob = seal().blob
    assert_unreadable(blob[: draw.draw(st.integers(0, len(blob) - 1))])


@given(st.text())
def test_any_other_text_is_unreadable(text: str) -> None:
    assert_unreadable(text)


@pytest.mark.parametrize("version", ["v0", "v2", "V1", "", "v11"])
def test_an_unknown_version_is_unreadable_and_has_no_key_id(version: str) -> None:
    sealed = SealedSecret(seal().blob.replace("v1", version, 1))
    with pytest.raises(CredentialUnreadable, match="a form that this server doesn't know"):
        unseal(sealed)
    with pytest.raises(CredentialUnreadable, match="a form that this server doesn't know"):
        _ = sealed.key_id


def test_a_blob_with_line_end_or_spaces_is_unreadable() -> None:
    blob = seal().blob
    for other in (f"{blob}\n", f" {blob}", f"{blob}="):
        assert_unreadable(other)


def test_a_key_that_the_ring_lacks_is_named() -> None:
    stranger = CredentialEncryption(KeyRing([NEW_KEY], PROVIDER))
    with pytest.raises(CredentialUnreadable, match=f"data key {OLD_KEY.id}, which this server doesn't have"):
        unseal(seal(), stranger)


def test_another_key_under_the_same_id_does_not_open() -> None:
    usurper = replace(OLD_KEY, wrapped=PROVIDER.wrap(b"x" * 32, OLD_KEY.id))
    with pytest.raises(CredentialUnreadable, match="doesn't open"):
        unseal(seal(), CredentialEncryption(KeyRing([usurper], PROVIDER)))


def test_the_key_id_is_bound_in_even_where_two_ids_have_one_key() -> None:
    same_key = KeyRing([OLD_KEY], PROVIDER).key(OLD_KEY.id)
    twin = replace(NEW_KEY, wrapped=PROVIDER.wrap(same_key, NEW_KEY.id))
    relabelled = SealedSecret(seal().blob.replace(OLD_KEY.id, NEW_KEY.id))
    with pytest.raises(CredentialUnreadable, match="doesn't open"):
        unseal(relabelled, CredentialEncryption(KeyRing([twin], PROVIDER)))


def test_a_new_primary_seals_while_the_old_key_still_opens() -> None:
    rotated = CredentialEncryption(KeyRing([replace(OLD_KEY, state=DataKeyState.RETIRING), NEW_KEY], PROVIDER))
    assert unseal(seal(), rotated) == TEXT
    assert seal(encryption=rotated).key_id == NEW_KEY.id


def assert_unreadable(blob: str) -> None:
    """The blob doesn't open, and nothing that is raised repeats the secret or the ciphertext."""
    with pytest.raises(CredentialUnreadable) as caught:
        unseal(SealedSecret(blob))
    error: BaseException | None = caught.value
    while error is not None:
        said = f"{error} {error!r}"
        assert "canary" not in said
        assert len(blob) < 40 or blob[23:] not in said
        error = error.__cause__ or error.__context__
