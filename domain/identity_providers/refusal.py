"""Why a token isn't taken: told to the log and the metrics, never to whoever sent it."""

from enum import StrEnum


class Refusal(StrEnum):
    """The first thing that is wrong with a token."""

    TOO_LARGE = "TOO_LARGE"
    MALFORMED = "MALFORMED"
    ALGORITHM = "ALGORITHM"  # none, a shared secret, or one that the issuer doesn't use
    CRITICAL_HEADER = "CRITICAL_HEADER"
    TYPE = "TYPE"  # meant for something else, as ID tokens and logout tokens are
    ISSUER = "ISSUER"  # none that this server trusts
    KEY = "KEY"  # none that the issuer publishes
    SIGNATURE = "SIGNATURE"
    AUDIENCE = "AUDIENCE"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    CLAIMS = "CLAIMS"  # one is missing that has to be there, or can't be what it is
    SENDER_CONSTRAINED = "SENDER_CONSTRAINED"  # only good with a proof that Tether can't check
    ADDRESS = "ADDRESS"  # the person's e-mail address is that of somebody of another provider


class TokenRefused(Exception):
    """Stays within this folder."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason
