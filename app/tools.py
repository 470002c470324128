"""The page's API as tools for language models: an MCP server at /mcp, beside the page.

Gradio's own MCP server does not ask for logins, copies pictures to the disk and fetches addresses.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fer import __version__

from .handlers import Handlers
from .logins import Logins
from .page import JOBS
from .uploads import MAX_FILES, PICTURE_TEXTS, read_text

PATH = "/mcp"
MAX_REQUEST = 64_000_000  # bytes of a request; pictures grow by a third in base64
MAX_WAITING = 32  # calls that wait for their turn
NO_STREAM = PlainTextResponse("An MCP server; it answers POST requests only.", 405, {"Allow": "POST"})

CAUTION = (
    "An expression is not a feeling: the label says what people would call the face in the picture, not what the "
    "person feels. Never use it for decisions about people (work, school, borders, health care, justice)."
)
PHOTO = "Find every face in one photo and classify its facial expression."
BATCH = f"Find every face in several photos, up to {MAX_FILES:,}, and classify the facial expressions."
RESULT = (
    "Returns one row per face. `file` names the photo, `face` counts its faces from 0. `label` is the most probable "
    "expression, `confidence` its probability (0 to 1), and {classes} the probability of each. `unsure` is null, or "
    "the reason not to believe the row: then tell the user. The box is `x1`, `y1`, `x2`, `y2` in pixels from the top "
    "left corner. A photo without faces has one row with the `status` no_face, an unreadable one error, with the "
    "reason in `error`."
)
Picture = Annotated[str, Field(description=f"The photo: {PICTURE_TEXTS}. Addresses on the web are not fetched.")]
Pictures = Annotated[
    list[str], Field(description=f"Each is {PICTURE_TEXTS} (then also of a zip archive). Addresses are not fetched.")
]


def offer_tools(handlers: Handlers, logins: Logins | None, host: str | None) -> dict[str, Any]:
    """Create the MCP server; return its routes and lifespan, as keyword arguments of the page's application.

    Args:
        handlers: those of the page.
        logins: whom to admit, by HTTP Basic authentication; None admits everyone.
        host: where the page is served. If it is this computer only, requests to other host names are refused, so
            that no website reaches the server through a name of its own (DNS rebinding). None: anywhere.
    """
    app = create_server(handlers).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_REQUEST,
        host=host or "",
    )
    endpoint = RequireLogin(app, logins) if logins else app
    routes = [Route(PATH, endpoint, methods=["POST"]), Route(PATH, NO_STREAM)]
    return {"routes": routes, "lifespan": app.router.lifespan_context}


def create_server(handlers: Handlers) -> MCPServer:
    """The server with its two tools. Nothing that they are given is written to the disk."""
    server = MCPServer("dan-fer", version=__version__, instructions=CAUTION, log_level="WARNING")
    limiter = anyio.CapacityLimiter(JOBS)
    result = RESULT.format(classes=", ".join(f"`{name}`" for name in handlers.description.classes))
    annotations = ToolAnnotations(read_only_hint=True, open_world_hint=False)

    async def recognise(pictures: list[str], limit: int) -> list[dict]:
        if limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise ToolError("too many calls at the same time; try again later")
        return await anyio.to_thread.run_sync(_rows, handlers, pictures, limit, limiter=limiter)

    @server.tool(description=f"{PHOTO} {result} {CAUTION}", annotations=annotations)
    async def classify_expressions(picture: Picture) -> list[dict[str, Any]]:
        return await recognise([picture], 1)

    @server.tool(description=f"{BATCH} {result} {CAUTION}", annotations=annotations)
    async def classify_expressions_batch(pictures: Pictures) -> list[dict[str, Any]]:
        return await recognise(pictures, MAX_FILES)

    return server


def _rows(handlers: Handlers, pictures: list[str], limit: int) -> list[dict]:
    sources = [read_text(text, f"picture {i}", handlers.arrivals) for i, text in enumerate(pictures, 1)]
    return handlers.rows(sources, limit)


class RequireLogin:
    """ASGI wrapper that admits only requests with a name and a password, by HTTP Basic authentication.

    Args:
        app: the wrapped application.
        logins: checks names and passwords; wrong ones are answered late.
    """

    def __init__(self, app: Callable, logins: Logins):
        self.app, self.logins = app, logins

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        login = _read_login(Headers(scope=scope).get("authorization", ""))
        if login and await self.logins.check(*login):
            return await self.app(scope, receive, send)
        refusal = PlainTextResponse("a login is needed", 401, {"WWW-Authenticate": 'Basic realm="dan-fer"'})
        await refusal(scope, receive, send)


def _read_login(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if scheme.lower() == "basic" and colon else None
