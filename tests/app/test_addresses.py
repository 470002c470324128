"""Nobody makes the page fetch an address."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'dan-fer[app]'")

from app.addresses import REFUSAL

PUBLIC, LISTED = "http://192.0.2.1/a.png", "https://huggingface.co/a.png"  # Gradio does not check the second one


def read(url: str, data: dict | None = None) -> tuple[int, str]:
    body = data and json.dumps(data).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_addresses_are_refused(launch, monkeypatch):
    fetched = []
    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetched.append)
    monkeypatch.setattr("safehttpx.async_validate_url", fetched.append)
    url = launch() + "gradio_api"
    for address in (PUBLIC, LISTED):
        file = {"path": address, "meta": {"_type": "gradio.FileData"}}
        for name, argument in [("photo", file), ("batch", [file])]:
            event = json.loads(read(f"{url}/call/{name}", {"data": [argument]})[1])["event_id"]
            assert REFUSAL in read(f"{url}/call/{name}/{event}")[1]
        for path in (f"file={address}", f"file/{address}", f"file={address.replace(':', '%3A')}"):
            assert read(f"{url}/{path}") == (403, REFUSAL)
    assert not fetched
