"""The operations that are measured, and when two servers' answers to one of them are the same.

Used by the bench, and by the test that holds Tether and a peer to equal answers.
"""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

PROBES: Final = "probes { name outcome code message remedy latencyMs evidence }"
CREDENTIAL: Final = (
    "credential { id kind fingerprint scopes expiresAt refreshExpiresAt generation rotatedAt lastUsedAt }"
)
REPOSITORIES: Final = (
    "repositories(first: 3) { nodes { id fullName url defaultBranch private archived selected syncedAt } }"
)
CONNECTION_FIELDS: Final = f"""
    id name status statusReason {{ code message remedy }} statusChangedAt availableStatuses
    externalAccount {{ id name url avatarUrl }}
    health {{ status message checkedAt nextCheckAt latencyMs consecutiveFailures {PROBES} }}
    {CREDENTIAL}
    grantedScopes requiredScopes missingScopes rateLimit {{ limit remaining resetAt blockedUntil }}
    labels settings version createdAt updatedAt
    {REPOSITORIES}
"""
PAGE_INFO: Final = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"

PAGE: Final = f"""query Page($slug: String!, $first: Int!) {{
  organization(by: {{slug: $slug}}) {{ connections(first: $first) {{
    totalCount {PAGE_INFO} nodes {{ {CONNECTION_FIELDS} }}
  }} }}
}}"""

PAGE_WITHOUT_PROBES: Final = PAGE.replace(PROBES, "")

FOLLOWING_PAGE: Final = f"""query FollowingPage($slug: String!, $first: Int!, $after: String) {{
  organization(by: {{slug: $slug}}) {{ connections(first: $first, after: $after) {{
    {PAGE_INFO} nodes {{ {CONNECTION_FIELDS} }}
  }} }}
}}"""

FILTERED_PAGE: Final = f"""query FilteredPage($slug: String!, $filter: ServiceConnectionFilter!) {{
  organization(by: {{slug: $slug}}) {{ connections(first: 50, filter: $filter) {{
    totalCount {PAGE_INFO} nodes {{ {CONNECTION_FIELDS} }}
  }} }}
}}"""

ONE: Final = f"query One($id: ID!) {{ node(id: $id) {{ ... on ServiceConnection {{ {CONNECTION_FIELDS} }} }} }}"

RENAME: Final = """mutation Rename($id: ID!, $name: String!) {
  updateConnection(input: {connectionId: $id, name: $name}) {
    connection { id name version updatedAt } userErrors { __typename message }
  }
}"""

VIEWER: Final = "{ viewer { user { id } } }"

PAGE_SIZE: Final = 50

_CURSORS: Final = frozenset({"startCursor", "endCursor"})


def body(operation: str, variables: dict[str, Any]) -> bytes:
    """The request's JSON."""
    return json.dumps({"query": compact(operation), "variables": variables}).encode()


def body_by_id(operation: str, variables: dict[str, Any]) -> bytes:
    """The same for a document that is published."""
    return json.dumps({"documentId": document_id(operation), "variables": variables}).encode()


def document_id(operation: str) -> str:
    """By which it is published."""
    return f"sha256:{sha256(compact(operation).encode()).hexdigest()}"


def compact(operation: str) -> str:
    """The text as it is sent."""
    return " ".join(operation.split())


def comparable(answer: Any) -> Any:
    """An answer without what each server may choose for itself: how cursors look, and how moments are spelled."""
    if isinstance(answer, dict):
        return {
            name: value is not None if name in _CURSORS else comparable(value) for name, value in sorted(answer.items())
        }
    if isinstance(answer, list):
        return [comparable(each) for each in answer]
    if isinstance(answer, str) and answer[4:5] == "-" and answer[10:11] == "T":
        return datetime.fromisoformat(answer).timestamp()
    return answer
