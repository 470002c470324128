"""Clients of the live view without a browser: they post frames to a running page as its JavaScript does."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.request
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np

from fer.io.images import encode_image

QUALITY = 85  # of the page's JPEG files
HEADERS = {"Content-Type": "application/json"}


def to_jpeg(image: np.ndarray) -> bytes:
    """Encode a frame, RGB uint8 [H,W,3], as the page sends it."""
    return encode_image(image, "jpeg", QUALITY)


class CameraClient:
    """One camera. It posts to Gradio's component_server, which calls the function `look` of the page's gr.HTML.

    Args:
        url: address of the page.
    """

    def __init__(self, url: str):
        with urllib.request.urlopen(f"{url.rstrip('/')}/config") as answer:
            config = json.load(answer)
        (component,) = (c["id"] for c in config["components"] if "look" in (c["props"].get("server_fns") or []))
        self.path = config["api_prefix"] + "/component_server/"
        self.connection, self.session = http.client.HTTPConnection(urlsplit(url).netloc), str(uuid.uuid4())
        self.body = {"component_id": component, "fn_name": "look", "session_hash": self.session}

    def look(self, picture: bytes, attention: bool = False) -> dict:
        """Send a JPEG; return the answer of `LiveView.look`."""
        url = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
        data = {"picture": url, "session": self.session, "attention": attention}
        self.connection.request("POST", self.path, json.dumps(self.body | {"data": data}), HEADERS)
        return json.load(self.connection.getresponse())


def stream(url: str, clients: int, seconds: float, pictures: Sequence[bytes], rate: float = 24) -> str:
    """Stream JPEG pictures from several clients at once; return their frame rates and latencies as one line.

    Each client plays `pictures` in a loop as a camera with `rate` frames per second. It sends the
    current picture as soon as it has the answer to the last one, without the page's pause.
    """

    def run(number: int) -> np.ndarray:
        client, begin, answers = CameraClient(url), time.monotonic(), []
        while (sent_at := time.monotonic()) < begin + seconds:
            position = int((sent_at - begin) * rate) + number * len(pictures) // clients
            answer = client.look(pictures[position % len(pictures)])
            answers.append((answer["milliseconds"], 1000 * (time.monotonic() - sent_at), len(answer["faces"])))
        return np.array(answers)  # [frames,3]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(run, range(clients)))
    rates = [len(a) / seconds for a in answers]
    server, latency, faces = np.concatenate(answers).T
    return (
        f"{clients} client{'s' * (clients > 1)}: {min(rates):.1f} to {max(rates):.1f} frames/s each, "
        f"{sum(rates):.1f} in all; server {np.median(server):.0f} ms (p95 {np.percentile(server, 95):.0f}), "
        f"round trip {np.median(latency):.0f} ms (p95 {np.percentile(latency, 95):.0f}); "
        f"{faces.mean():.2f} faces per frame"
    )
