"""A request's body, read only as far as it may be large. Used by the GraphQL view and the webhook receiver."""

from starlette.requests import Request


async def read_body(request: Request, most_bytes: int) -> bytes | None:
    """The raw body; None for one that is larger, of which nothing is kept. Raises ClientDisconnect."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most_bytes:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            return None
    return bytes(body)
