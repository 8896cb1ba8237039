"""One-time tokens: 256 random bits that somebody shows once. Only their hash is kept, which says nothing of them.

Made and looked up by the authorization flows.
"""

import hashlib
import secrets

from domain.secret import Secret


def new_one_time_token() -> Secret:
    """43 characters that need no escaping in an address."""
    return Secret(secrets.token_urlsafe(32))


def one_time_hash(token: str) -> bytes:
    """The SHA-256 by which a token is found again; of any text that somebody shows as one."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
