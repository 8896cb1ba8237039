"""What issuers publish for whoever trusts them: their metadata (OpenID Connect Discovery) and, by that, their keys.

Fetched through the guarded client, by `provider.py`. Whatever goes wrong is a value: half a sentence for the log.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from domain.entities.health import Json
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.key_set import VerificationKey, read_key_set

LARGEST_BYTES: Final = 512 * 1024
DISCOVERY: Final = "/.well-known/openid-configuration"
FRESH_SECONDS: Final = 3600.0
"""How long keys are used without asking again, unless the issuer says that it should be less."""
LEAST_FRESH_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The issuer's own description, of which only `jwks_uri` is known to be usable."""

    jwks_uri: str
    document: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """The keys, and for how long they may be used without asking again."""

    keys: Sequence[VerificationKey]
    fresh_seconds: float


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """`reason` is half a sentence, such as `its keys: no answer within 10.0 s`."""

    reason: str


async def fetch_metadata(http: HttpClient, issuer: Issuer) -> ProviderMetadata | FetchFailure:
    """From where the issuer's own address says that it is; it has to call itself by that address."""
    answer = await _document(http, issuer.url.rstrip("/") + DISCOVERY)
    if isinstance(answer, FetchFailure):
        return FetchFailure(f"its metadata: {answer.reason}")
    _, document = answer
    if document.get("issuer") != issuer.url:
        return FetchFailure("its metadata: it calls itself by another address than the one in the settings")
    jwks_uri = document.get("jwks_uri")
    if not isinstance(jwks_uri, str) or not _as_safe(jwks_uri, issuer.url):
        return FetchFailure("its metadata: there is no address of its keys that can be used")
    return ProviderMetadata(jwks_uri, document)


async def fetch_keys(http: HttpClient, metadata: ProviderMetadata) -> PublishedKeys | FetchFailure:
    """The keys that stand where the metadata says."""
    answer = await _document(http, metadata.jwks_uri)
    if isinstance(answer, FetchFailure):
        return FetchFailure(f"its keys: {answer.reason}")
    response, document = answer
    keys = read_key_set(document)
    if not keys:
        return FetchFailure("its keys: there is none that can be used")
    return PublishedKeys(keys, _fresh_seconds(response))


async def _document(http: HttpClient, url: str) -> tuple[HttpAnswer, Mapping[str, Json]] | FetchFailure:
    answer = await http.get(url, headers={"Accept": "application/json"})
    if isinstance(answer, HttpFault):
        return FetchFailure(answer.message)
    if answer.status != _OK:
        return FetchFailure(f"it answered with {answer.status}")
    if len(answer.body) > LARGEST_BYTES:
        return FetchFailure(f"an answer of more than {LARGEST_BYTES} bytes")
    document = answer.json()
    if not isinstance(document, Mapping):
        return FetchFailure("its answer is no JSON object")
    return answer, document


def _as_safe(url: str, issuer_url: str) -> bool:
    """Whether it is reached by TLS, unless the issuer itself isn't."""
    if not url.isascii() or not url.isprintable():
        return False
    try:
        return urlsplit(url).scheme in {"https", urlsplit(issuer_url).scheme}
    except ValueError:
        return False


def _fresh_seconds(answer: HttpAnswer) -> float:
    """What the answer says of caching, within bounds: an issuer neither is asked all the time nor never."""
    control = answer.headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return LEAST_FRESH_SECONDS
    age = _MAX_AGE.search(control)
    return FRESH_SECONDS if age is None else min(FRESH_SECONDS, max(LEAST_FRESH_SECONDS, float(age[1])))


_OK: Final = 200
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})\b")
