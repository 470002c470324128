"""The page is isolated from other sites, so that browsers let WebAssembly use threads in it."""

from __future__ import annotations

from collections.abc import Callable

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Isolate:
    """ASGI middleware that adds ISOLATION to every answer.

    Args:
        app: the wrapped application.
    """

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        async def send_isolated(message: dict) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                added = [
                    (k.lower().encode(), v.encode()) for k, v in ISOLATION.items() if k.lower().encode() not in known
                ]
                message = message | {"headers": [*message["headers"], *added]}
            await send(message)

        await self.app(scope, receive, send_isolated)
