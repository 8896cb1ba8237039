"""What can't be a token at all is the caller's to mend."""

import pytest

from domain.errors import InvalidInput
from gql.inputs import CredentialInput, TokenCredentialInput
from gql.mutations import _token


def test_a_token_with_a_lone_surrogate_is_refused_without_repeating_it() -> None:
    """Neither JSON nor GraphQL's text brings one in over HTTP; other ways to run an operation could."""
    with pytest.raises(InvalidInput) as refusal:
        _token(CredentialInput(token=TokenCredentialInput(token="canary\ud800")))
    assert refusal.value.field == ("input", "credential", "token")
    assert "canary" not in refusal.value.message
