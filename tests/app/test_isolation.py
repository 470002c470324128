"""Every answer of the page isolates it from other sites."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from app.isolation import ISOLATION, Isolate


def test_every_answer_has_the_headers_once():
    async def app(scope, receive, send):
        headers = {"Cross-Origin-Opener-Policy": "same-origin"} if scope["path"] == "/has" else {}
        await PlainTextResponse("x", headers=headers)(scope, receive, send)

    client = TestClient(Isolate(app))
    for path in ("/", "/has"):
        headers = client.get(path).headers
        assert [headers.get_list(name) for name in ISOLATION] == [[value] for value in ISOLATION.values()]


def test_other_messages_pass():
    seen = []

    async def app(scope, receive, send):
        await send({"type": "lifespan.startup.complete"})

    async def send(message):
        seen.append(message)

    asyncio.run(Isolate(app)({"type": "lifespan"}, None, send))
    assert seen == [{"type": "lifespan.startup.complete"}]
