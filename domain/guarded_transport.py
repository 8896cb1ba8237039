"""GuardedTransport: lets a client of httpx's kind, such as Authlib's, call out through the one guarded way.

Used by the sign-in. No such client resolves names, follows redirects or keeps connections by itself.
"""

import httpx2

from domain.http import HttpClient, HttpFault


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends nothing twice: it can't know what may be repeated."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.TransportError with the client's words for why there is no answer."""
        headers = {name: value for name, value in request.headers.items() if name.lower() in _PASSED_ON}
        answer = await self._http.request(request.method, str(request.url), headers=headers, body=await request.aread())
        if isinstance(answer, HttpFault):
            raise httpx2.TransportError(answer.message)
        kept = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)


_PASSED_ON = {"accept", "authorization", "content-type"}
"""The others are of the connection, which isn't the caller's, or say what the guarded client says itself."""
