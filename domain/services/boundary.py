"""What every service does at its edge: tokens that can't be sent, calls without an answer, text that it didn't write.

Used by the services' `identify` and by their reading of answers.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from domain.entities.health import Json, Remedy
from domain.entities.text import has_visible_character
from domain.http import HttpFault, HttpFaultKind
from domain.secret import Secret
from domain.services.service_fault import FaultKind, ServiceFault

TEXT_LENGTH: Final = 255
URL_LENGTH: Final = 2048
LONGEST_WAIT_SECONDS: Final = 24 * 60 * 60
"""No service's limit lasts longer; an answer that says so would keep a connection unchecked for ever."""


def malformed_token(service_name: str, token: Secret) -> ServiceFault | None:
    """The fault for a token that no header can carry (empty, spaces, line breaks, not ASCII), or None. Calls nobody."""
    if _TOKEN.fullmatch(token.reveal()):
        return None
    return ServiceFault(
        FaultKind.CREDENTIAL_REFUSED,
        "malformed_token",
        f"This can't be a token of {service_name}: it is empty, too long, or holds a space, a line break "
        "or another character that tokens don't have. Copy it again.",
        Remedy.RECONNECT,
    )


def transport_fault(service_id: str, service_name: str, fault: HttpFault) -> ServiceFault:
    """What a call without an answer means: never anything about the credential."""
    kind, code, remedy = _TRANSPORT[fault.kind]
    if kind is FaultKind.NOT_ALLOWED:
        message = (
            f"Tether may not call {service_name}: {fault.message}. "
            "The operator can allow private hosts with TETHER_OUTBOUND_ALLOW."
        )
    else:
        message = f"{service_name} gave no usable answer: {fault.message}."
    return ServiceFault(
        kind,
        f"{service_id}_{code}",
        message,
        remedy,
        latency_ms=fault.latency_ms,
        may_have_happened=fault.maybe_done,
    )


def clean_text(value: Json) -> str | None:
    """Text of a service fit to keep and show: no control characters or lone surrogates, at most 255 characters.

    None where nothing of it could be seen.
    """
    if not isinstance(value, str):
        return None
    cleaned = "".join(each for each in value if unicodedata.category(each) not in {"Cc", "Cs"}).strip()
    shown = cleaned[:TEXT_LENGTH]
    return shown if has_visible_character(shown) else None


def clean_url(value: Json) -> str | None:
    """An address of a service fit to become a link: absolute, http or https, no user name, nothing unprintable."""
    if not isinstance(value, str) or len(value) > URL_LENGTH or not _URL.fullmatch(value):
        return None
    try:
        parts = urlsplit(value)
        return value if parts.hostname and parts.username is None else None
    except ValueError:
        return None


def host_of(url: str) -> str:
    """The host and port that an address of the operator's names."""
    return urlsplit(url).netloc


_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_URL: Final = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_TRANSPORT: Final = {
    HttpFaultKind.UNREACHABLE: (FaultKind.UNREACHABLE, "unreachable", Remedy.WAIT),
    HttpFaultKind.TIMEOUT: (FaultKind.UNREACHABLE, "timeout", Remedy.WAIT),
    HttpFaultKind.TLS: (FaultKind.UNREACHABLE, "certificate_invalid", Remedy.CONTACT_ADMIN),
    HttpFaultKind.BROKEN: (FaultKind.SERVICE_ERROR, "answer_broken", Remedy.WAIT),
    HttpFaultKind.TOO_LARGE: (FaultKind.SERVICE_ERROR, "answer_too_large", Remedy.WAIT),
    HttpFaultKind.NOT_ALLOWED: (FaultKind.NOT_ALLOWED, "address_not_allowed", Remedy.CONTACT_ADMIN),
}
