"""SignInFailure: how a sign-in ends without a session: a stable code and words for the person at the browser.

Made by SignIn and by the clients of identity providers; shown by `gql/http/sign_in.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SignInFailureCode(StrEnum):
    """What went wrong, for whoever looks into it."""

    UNKNOWN_PROVIDER = "unknown_provider"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    WRONG_ISSUER = "wrong_issuer"
    DENIED = "denied"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_REFUSED = "provider_refused"
    UNVERIFIED = "unverified"
    NOT_ALLOWED = "not_allowed"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class SignInFailure:
    """`message`: nothing of it was written by whoever sent the browser.

    `detail` is for the server's log alone, which tells the operator more than a stranger may know. It holds no secret.
    """

    code: SignInFailureCode
    message: str
    detail: str = ""


UNKNOWN_PROVIDER: Final = SignInFailure(
    SignInFailureCode.UNKNOWN_PROVIDER, "This server knows no such identity provider. Choose one of those it offers."
)
UNKNOWN: Final = SignInFailure(
    SignInFailureCode.UNKNOWN,
    "This sign-in was begun in another browser, or is over already; or the browser keeps no cookies of this site.",
)
TOO_MANY: Final = SignInFailure(
    SignInFailureCode.TOO_MANY, "Too many people are signing in just now. Try again in a minute."
)
EXPIRED: Final = SignInFailure(SignInFailureCode.EXPIRED, "This took too long.")


def wrong_issuer(provider_name: str) -> SignInFailure:
    return SignInFailure(
        SignInFailureCode.WRONG_ISSUER, f"{provider_name} was asked, but the answer is from somebody else."
    )


def denied(provider_name: str, error: str) -> SignInFailure:
    """`error` is what the browser brought, which anybody may have written: only the log tells it, made harmless."""
    detail = "".join(each for each in error[:60] if each.isascii() and (each.isalnum() or each in "_-."))
    return SignInFailure(SignInFailureCode.DENIED, f"{provider_name} hasn’t signed you in.", detail)


def unreachable(provider_name: str, detail: str) -> SignInFailure:
    return SignInFailure(
        SignInFailureCode.PROVIDER_UNREACHABLE, f"{provider_name} can’t be reached just now. Try again later.", detail
    )


def provider_refused(provider_name: str, detail: str) -> SignInFailure:
    return SignInFailure(
        SignInFailureCode.PROVIDER_REFUSED,
        f"{provider_name} didn’t accept this server, or answered in a way that it doesn’t understand. "
        "Its operator finds more in the log.",
        detail,
    )


def unverified(provider_name: str, detail: str) -> SignInFailure:
    return SignInFailure(
        SignInFailureCode.UNVERIFIED,
        f"What {provider_name} says of you doesn’t hold: it is of another time, for somebody else, or not from there.",
        detail,
    )


def not_allowed(message: str) -> SignInFailure:
    return SignInFailure(SignInFailureCode.NOT_ALLOWED, message)
