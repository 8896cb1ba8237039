"""What every answer has to be, whatever was asked: of the response's form, as the schema says, without internals."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    parse,
)

from tests.fuzz.strategies import CANARY, rooted

CODES: Final = {
    *("UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT", "RATE_LIMITED", "COST_LIMIT_EXCEEDED", "CURSOR_EXPIRED"),
    *("SERVICE_UNAVAILABLE", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"),
}
"""Those of the contract but INTERNAL_SERVER_ERROR, which nothing that a caller sends may come to."""
_INTERNALS: Final = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|<[\w.]+ object at 0x|NoneType|\w+(?:Error|Exception)\(|"
    r"\b(?:Key|Type|Value|Attribute|Index|Integrity|Operational|Programming|Data|Assertion|Recursion|Unicode\w+)Error\b|"
    r"\b(?i:sqlite3?|aiosqlite|asyncpg|psycopg\d?|sqlalchemy|strawberry|starlette|uvicorn|orjson|httpx2?)\b|"
    r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE)\s+\w+|json_(?:object|group_array|agg)|\bpg_\w+|"
    r"/(?:home|usr|tmp|var|opt|root|work)/"
)


def judge(
    text: str, answer: Mapping[str, Any], request_id: str, schema: GraphQLSchema | None, secrets: Sequence[str]
) -> None:
    """Fails with an AssertionError that says what is wrong.

    `schema`, which has nothing of Strawberry in it, is what the data is held to. That needs `__typename` wherever there
    may be several types; without a schema it is left out.
    """
    assert set(answer) <= {"data", "errors", "extensions"}, sorted(answer)
    assert "data" in answer or answer.get("errors"), "neither data nor errors"
    errors: list[dict[str, Any]] = answer.get("errors", [])
    assert "errors" not in answer or errors, "an empty list of errors"
    for error in errors:
        _judge_error(error, request_id)
    shown = str(answer)
    for secret in (CANARY, *secrets):
        assert secret not in shown, "a secret"
    data = answer.get("data")
    if data is not None and schema is not None:
        _judge_data(parse(text), data, errors, schema)


def codes_of(answer: Mapping[str, Any]) -> list[str]:
    return sorted({error["extensions"]["code"] for error in answer.get("errors", ())})


def _judge_error(error: Mapping[str, Any], request_id: str) -> None:
    assert set(error) <= {"message", "locations", "path", "extensions"}, sorted(error)
    message, extensions = error["message"], error["extensions"]
    assert isinstance(message, str), error
    assert 0 < len(message) < 2_000, error
    assert _INTERNALS.search(message) is None, message
    assert extensions["code"] in CODES, error
    assert extensions["requestId"].startswith(request_id), error
    assert request_id, error
    for location in error.get("locations", ()):
        assert location["line"] > 0, error
        assert location["column"] > 0, error
    assert all(isinstance(key, str | int) for key in error.get("path", ())), error


def _judge_data(document: DocumentNode, data: Any, errors: Sequence[Mapping[str, Any]], schema: GraphQLSchema) -> None:
    """Executes the operation on its own answer: what comes out has to be the same, in the same order."""
    wrong: list[str] = []

    def answered(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
        key = info.path.key
        if key not in source:
            raise GraphQLError(f"{info.path.as_list()} is missing")
        if key == "message" and isinstance(source[key], str) and _INTERNALS.search(source[key]):
            wrong.append(source[key])
        return source[key]

    query, root = _as_query(document, schema)
    done = execute_sync(
        schema if root is schema.query_type else rooted(schema, root),
        query,
        root_value=data,
        field_resolver=answered,
        type_resolver=lambda value, *_: value["__typename"],
    )
    assert wrong == [], wrong
    nulls = {tuple(error["path"]) for error in errors if "path" in error}
    found = [error for error in done.errors or () if tuple(error.path or ()) not in nulls]
    assert found == [], found
    if not errors:
        assert str(done.data) == str(data), "other data, or in another order"


def _as_query(document: DocumentNode, schema: GraphQLSchema) -> tuple[DocumentNode, GraphQLObjectType]:
    """With the type whose fields it asks for, since execution of other operations would be something else."""
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    root = schema.get_root_type(operation.operation)
    assert root is not None
    made = OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=operation.name,
        variable_definitions=operation.variable_definitions,
        directives=operation.directives,
        selection_set=operation.selection_set,
    )
    return DocumentNode(definitions=(made,)), root
