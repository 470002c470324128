"""The tools for language models, by a client that has only the bytes of a picture."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from page_inputs import archive, contents, picture

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'dan-fer[app]'")
pytest.importorskip("mcp.server.mcpserver", reason="the tools need mcp: pip install 'dan-fer[mcp]'")
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from app.handlers import Handlers
from app.logins import Logins
from app.page import launch_options
from app.tools import offer_tools
from fer import EmotionRecognizer

PHOTO = Path(__file__).resolve().parents[2] / "samples/astronaut.jpg"
PROMISES = ["`unsure`", "`happiness`", "not a feeling", "decisions about people"]


@pytest.fixture
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(device="cpu")


def to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_language_model_gets_rows(launch, recognizer, tmp_path):
    arrivals, photo = tmp_path / "uploads", PHOTO.read_bytes()
    tools = offer_tools(Handlers(recognizer, arrivals), Logins({"anna": "secret"}), "127.0.0.1")
    url = launch(app_kwargs=launch_options(recognizer)["app_kwargs"] | tools, auth=[("anna", "secret")]) + "mcp"
    before = contents(arrivals)
    for name, data in {"a.jpg": photo, "b.zip": archive({"1.jpg": photo})}.items():
        (arrivals / name).mkdir()
        (arrivals / name / name).write_bytes(data)  # as an upload leaves it
    batch = [f"data:image/jpeg;base64,{to_text(photo)}", f"{url}/gradio_api/file={arrivals}/a.jpg/a.jpg"]
    batch += [f"{arrivals}/b.zip/b.zip", "http://127.0.0.1/a.jpg", str(PHOTO), to_text(picture(0)), to_text(b"broken")]
    offered, one, many = asyncio.run(talk(url, to_text(photo), batch))
    assert [tool.name for tool in offered] == ["classify_expressions", "classify_expressions_batch"]
    assert all(promise in tool.description for tool in offered for promise in PROMISES)
    (row,) = one.structured_content["result"]
    assert json.loads(one.content[0].text) == row
    assert (row["file"], row["label"], row["unsure"]) == ("picture 1", "happiness", None)
    assert row["confidence"] == row["happiness"] > 0.5 and row["x1"] < row["x2"]
    assert [(r["file"], r["status"], r.get("label")) for r in many.structured_content["result"]] == [
        ("picture 1", "ok", "happiness"),
        ("a.jpg", "ok", "happiness"),
        ("b.zip/1.jpg", "ok", "happiness"),
        ("picture 4", "error", None),
        ("picture 5", "error", None),
        ("picture 6", "no_face", None),
        ("picture 7", "error", None),
    ]
    errors = [r["error"] for r in many.structured_content["result"] if r["status"] == "error"]
    assert "fetches nothing" in errors[0] and "not a picture; send" in errors[1] and "not an image" in errors[2]
    assert contents(arrivals) == before and PHOTO.exists()
    for header in (None, f"Basic {to_text(b'anna:wrong')}", f"Basic {to_text(b'anna')}", "Basic ä", "Bearer secret"):
        assert refusal(url, header) == 401


async def talk(url: str, photo: str, batch: list[str]) -> tuple:
    async with (
        httpx2.AsyncClient(auth=("anna", "secret"), timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return (
            (await client.list_tools()).tools,
            await client.call_tool("classify_expressions", {"picture": photo}),
            await client.call_tool("classify_expressions_batch", {"pictures": batch}),
        )


def refusal(url: str, header: str | None) -> int:
    """The status of a request to list the tools."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers |= {"Authorization": header.encode().decode("latin-1")} if header else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
