"""Calls that a worker of FrameX Gateway makes to other plugins and backends, through the gateway.

    app = CallMiddleware(app)                                  # any ASGI application
    async with client() as gateway:
        answer = await gateway.post("/api/v1/text/stats", content="a text")

Paths are those that callers outside use; the worker's `requires` has to name them. With the middleware a call belongs to the request
that is being answered: it acts for its caller, has its trace, and is over when it is. Without, the worker acts for itself.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

import httpx

__all__ = ["CallMiddleware", "client", "is_connected"]

_CALL = b"x-framex-call"
_call: ContextVar[str | None] = ContextVar("framex_gateway_call", default=None)

_Message = MutableMapping[str, Any]
_Application = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


class CallMiddleware:
    """Remembers which request is being answered, for the calls that are made for it."""

    def __init__(self, app: _Application) -> None:
        self.app = app

    async def __call__(self, scope: _Message, receive: Any, send: Any) -> None:
        ticket = next((value for name, value in scope.get("headers", ()) if name == _CALL), None)
        token = _call.set(ticket.decode("ascii") if ticket else None)
        try:
            await self.app(scope, receive, send)
        finally:
            _call.reset(token)


def is_connected() -> bool:
    """Whether the gateway has started this process and lets it call somebody."""
    return "FRAMEX_GATEWAY_TOKEN" in os.environ


def client(timeout: float = 60.0, *, for_itself: bool = False) -> httpx.AsyncClient:
    """A client whose every request goes to the gateway, over its Unix socket. `timeout` is the longest silence, in seconds.

    With `for_itself` the worker acts for itself, also while it answers a request: for what goes on after the answer, such as
    background tasks, because a call for a request ends with it.

    Raises `RuntimeError` when this process is not a worker with `requires`.
    """
    if not is_connected():
        raise RuntimeError("not a worker of FrameX Gateway, or one whose `requires` names nothing")
    return httpx.AsyncClient(
        base_url="http://gateway",
        transport=httpx.AsyncHTTPTransport(uds=os.environ["FRAMEX_GATEWAY_SOCKET"]),
        headers={"Authorization": f"Bearer {os.environ['FRAMEX_GATEWAY_TOKEN']}"},
        event_hooks={} if for_itself else {"request": [_hand_on]},
        timeout=timeout,
    )


async def _hand_on(request: httpx.Request) -> None:
    if ticket := _call.get():
        request.headers["X-FrameX-Call"] = ticket
