"""Redaction: a second net under the log, for secrets that got into a message all the same. Used by `gql/log.py`.

It knows the forms of secrets, not the secrets: what looks like none isn't found. The first net is that none is logged.
"""

import re
from typing import Final

_MASK: Final = "***"
_VALUE: Final = r"[^\s\"'\\,;&<>)}\]]+"
_NAMES: Final = (
    "authorization|access_token|refresh_token|id_token|client_secret|client_assertion|code_verifier|password|passwd"
    "|api_key|secret"
)

_WHOLE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:"
    r"gh[a-z]_[A-Za-z0-9_]{8,}"  # GitHub
    r"|github_pat_[A-Za-z0-9_]{8,}"
    r"|xox[a-z][.-][A-Za-z0-9.-]{8,}"  # Slack
    r"|xapp-[A-Za-z0-9-]{8,}"
    r"|gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|soat|imt|agent|ffct)-[A-Za-z0-9_.-]{8,}"  # GitLab
    r"|tether_[0-9a-f]{32}_[A-Za-z0-9]+"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"  # JSON web tokens
    r")",
    re.DOTALL,
)
_AFTER: Final = re.compile(
    rf"(\bbearer\s+){_VALUE.removesuffix('+')}{{8,}}"
    rf"|(\b(?:{_NAMES})(?:\\*[\"'])?\s*[=:]\s*(?:\\*[\"'])?(?:(?:basic|bearer)\s+)?){_VALUE}"
    r"|(://[^\s/:@\"']*:)[^\s/@\"']+(?=@)",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text with *** for what looks like a secret."""
    return _AFTER.sub(lambda found: f"{found[1] or found[2] or found[3]}{_MASK}", _WHOLE.sub(_MASK, text))
