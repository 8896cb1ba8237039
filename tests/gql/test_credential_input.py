"""What can't be a credential at all is the caller's to mend."""

import pytest

from domain.credential_secrets import GitHubAppSecret
from domain.errors import InvalidInput
from domain.secret import Secret
from gql.arguments import secret_of
from gql.inputs import CredentialInput, GitHubAppCredentialInput, TokenCredentialInput


def app(*, app_id: str = "12", installation_id: str = "34", private_key: str = "canary") -> CredentialInput:
    return CredentialInput(
        github_app=GitHubAppCredentialInput(app_id=app_id, installation_id=installation_id, private_key=private_key)
    )


def test_a_token_with_a_lone_surrogate_is_refused_without_repeating_it() -> None:
    """Neither JSON nor GraphQL's text brings one in over HTTP; other ways to run an operation could."""
    for given, field in (
        (CredentialInput(token=TokenCredentialInput(token="canary\ud800")), "token"),
        (app(private_key="canary\ud800"), "githubApp"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            secret_of(given)
        assert refusal.value.field == ("input", "credential", field)
        assert "canary" not in refusal.value.message


def test_an_installation_is_taken_without_what_was_copied_around_it() -> None:
    assert secret_of(app(app_id=" 12 ", installation_id="34\n")) == GitHubAppSecret("12", "34", Secret("canary"))


@pytest.mark.parametrize("wrong", ["", "../../user", "34/access_tokens", "３４", "a" * 65])
def test_ids_that_would_lead_elsewhere_are_refused(wrong: str) -> None:
    for given in (app(installation_id=wrong), app(app_id=wrong)):
        with pytest.raises(InvalidInput, match="id is a number") as refusal:
            secret_of(given)
        assert refusal.value.field == ("input", "credential", "githubApp")
