"""What the commands that read a file take and give, whichever service they ask.

A file is given as text if it is text that can be kept and sent anywhere, and otherwise in base64.
"""

import binascii
from base64 import b64decode, b64encode
from typing import Final

from domain.entities.health import Json, Remedy
from domain.services.boundary import clean_text
from domain.services.fields import Choice, Text, WholeNumber, is_sendable
from domain.services.service_fault import FaultKind, ServiceFault

LARGEST_FILE_BYTES: Final = 256 * 1024
FILE_PATH: Final = Text(
    "path",
    "The file's path from the repository's root.",
    example="README.md",
    required=True,
    max_length=1024,
    pattern=r"(?!\.{1,2}(?:/|$))[^/]+(?:/(?!\.{1,2}(?:/|$))[^/]+)*",
    form="a path from the repository's root, without a slash at either end and without . and .. in it",
)
FILE: Final = (
    Text("path", "The file's path.", "README.md", required=True, max_length=1024),
    WholeNumber("size", "How many bytes it has.", 0, LARGEST_FILE_BYTES, required=True, example=512),
    Text("sha", "What Git calls this content.", "557db03de997c86a4a028e1ebd3a1ceb225be238", required=True),
    Choice("encoding", "Whether `content` is the text itself or base64.", ("text", "base64"), required=True),
    Text(
        "content",
        "What is in it.",
        "# Acme\n",
        required=True,
        max_length=LARGEST_FILE_BYTES * 4 // 3 + 4,
        lines=True,
        blank=True,
    ),
)


def file_data(path: str, sha: Json, content: Json) -> dict[str, Json] | None:
    """The fields of `FILE` for what a service sends in base64; None for what it doesn't document."""
    try:
        raw = b64decode("".join(content.split()), validate=True) if isinstance(content, str) else None
    except (binascii.Error, ValueError):
        return None
    name = clean_text(sha)
    if raw is None or len(raw) > LARGEST_FILE_BYTES or name is None:
        return None
    text = _text(raw)
    encoded = b64encode(raw).decode() if text is None else text
    encoding = "base64" if text is None else "text"
    return {"path": path, "size": len(raw), "sha": name, "encoding": encoding, "content": encoded}


def too_large(service_id: str, size: int | None, latency_ms: int | None) -> ServiceFault:
    """`size`: None where it is so large that nobody has counted."""
    has = "is far too large" if size is None else f"has {size:,} bytes"
    return ServiceFault(
        FaultKind.REQUEST_REFUSED,
        f"{service_id}_file_too_large",
        f"The file {has}; files of up to {LARGEST_FILE_BYTES:,} can be read through Tether.",
        Remedy.NONE,
        latency_ms=latency_ms,
        argument=FILE_PATH.key,
    )


def not_a_file(service_id: str, latency_ms: int) -> ServiceFault:
    return ServiceFault(
        FaultKind.REQUEST_REFUSED,
        f"{service_id}_not_a_file",
        "There is something of that name, but it is no file: a directory or another repository.",
        Remedy.NONE,
        latency_ms=latency_ms,
        argument=FILE_PATH.key,
    )


def _text(raw: bytes) -> str | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if is_sendable(text, lines=True) else None
