"""What the API server's pair routes refuse before anything is looked at: bodies too large, requests that
another site has made a browser send, and questions they cannot understand."""

from collections.abc import Callable, Collection, Coroutine
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

MOST_BODY_BYTES = 65_536
READING = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Of every answer that holds data."""


class Refusing(APIRoute):
    """Reads a bounded body, and says what is wrong with a request without repeating it.

    FastAPI reads whatever is sent before it asks for the login, and answers 500 for what is no text."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            try:
                return await handle(Request(request.scope, await _bounded(request)))
            except RequestValidationError as error:
                wrong = [{"loc": each["loc"], "msg": each["msg"]} for each in error.errors()]
                raise HTTPException(422, wrong) from None

        return checked


async def _bounded(request: Request) -> Callable[[], Coroutine[Any, Any, Any]]:
    """What receives the request again, its body read. Raises HTTPException 413."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > MOST_BODY_BYTES:
        raise _too_large()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise _too_large()
    is_told = False

    async def receive() -> Any:
        nonlocal is_told
        if is_told:
            # What comes after the body is the end of the connection.
            return await request.receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _too_large() -> HTTPException:
    # The rest is not read: the connection is of no more use.
    return HTTPException(413, f"A body of {MOST_BODY_BYTES} bytes at most", {"Connection": "close"})


class FromHere:
    """Dependency: a browser changes something for this server's own pages only (403).

    A browser that has once been given the login keeps sending it, also for a form on another site. Such a
    request carries where it comes from; programs send neither header.

    :param others: origins that Freqtrade's own `CORS_origins` trusts, like "https://frequi.example".
    """

    def __init__(self, others: Collection[str]) -> None:
        self._others = frozenset(others)

    def __call__(self, request: Request) -> None:
        if request.method in READING:
            return
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if origin is not None and origin in self._others:
            return
        # The browser's own word first: a proxy may have changed the host's name.
        is_own = site in ("same-origin", "none") if site is not None else True
        if site is None and origin is not None:
            is_own = urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
        if not is_own:
            raise HTTPException(403, "Another site may not act here (api_server.CORS_origins says which may)")


def as_json(view: BaseModel) -> Response:
    """A view that is valid already, written once."""
    return Response(view.model_dump_json(), media_type="application/json", headers=NOT_KEPT)
