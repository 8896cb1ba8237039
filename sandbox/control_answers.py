"""How the control API reads and answers JSON. Used by its modules."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.json_reader import Problem


async def document_of(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return Problem("", "must be JSON")


def unprocessable(problems: list[Problem]) -> Response:
    return json_answer({"message": "Nothing was changed.", "problems": problems}, 422)


def not_found(what: str) -> Response:
    return json_answer({"message": f"No {what} of this name."}, 404)


def json_answer(body: dict[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
