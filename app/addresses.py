"""The page contacts no other host: it refuses what Gradio would fetch for a client.

Gradio downloads a file that a client names by its address, and passes on what `/gradio_api/file=ADDRESS` names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from starlette.responses import PlainTextResponse

REFUSAL = "The page fetches no addresses; upload the file."


class LocalBlocks(gr.Blocks):
    """Blocks whose events take uploads, and no addresses."""

    def validate_inputs(self, block_fn: Any, inputs: list) -> None:
        """Raise `gr.Error` if a file is an address; Gradio calls this before it moves files to its cache."""
        traverse(inputs, _refuse_address, is_file_obj_with_meta)
        super().validate_inputs(block_fn, inputs)


def _refuse_address(file: dict) -> dict:
    if is_http_url_like(file["path"]):
        raise gr.Error(REFUSAL, print_exception=False)
    return file


class RefuseAddresses:
    """ASGI middleware that answers 403 to a request whose path holds an address.

    Args:
        app: the wrapped application.
    """

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        refused = scope["type"] == "http" and "://" in scope["path"]
        await (PlainTextResponse(REFUSAL, 403) if refused else self.app)(scope, receive, send)
