"""E-mail addresses as people type them, and what they are compared by.

Used where somebody is invited, or known by an address alone, and by the repositories that look addresses up.
"""

import re
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidInput

_FORM: Final = re.compile(r"[!-?A-~]{1,64}@[a-zA-Z0-9.-]{1,189}")


def clean_email(text: str, field: Sequence[str]) -> str:
    """The address without the white space around it. Raises InvalidInput for what is none."""
    address = text.strip()
    if not _FORM.fullmatch(address):
        raise InvalidInput("An e-mail address looks like ada@example.com.", field)
    return address


def email_key(address: str) -> str:
    """What an address is found by: A to Z and a to z alike, and nothing else.

    To Unicode more letters than these are alike, such as K and the sign for kelvin. To the servers that deliver mail
    they aren't: whoever has the one mailbox must not be taken for whoever has the other.
    """
    return "".join(letter.lower() if letter.isascii() else letter for letter in address)
