"""What people give to the page, and what they get."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from pathlib import Path

import av
import numpy as np

from fer.io.images import encode_image

rng = np.random.default_rng(0)


def picture(faces: int) -> bytes:
    """A PNG in which the detector finds so many faces."""
    image = rng.integers(0, 255, (90, 120, 3), np.uint8)
    image[0, 0] = faces
    return encode_image(image)


def archive(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data.getvalue()


def linked(html: str, suffix: str) -> bytes:
    """The file behind a download link."""
    return base64.b64decode(re.search(rf'download="[^"]*{suffix}" href="data:[^,]*,([^"]*)"', html)[1])


def film(frames: int, width: int = 128, height: int = 96, rate: int = 10) -> bytes:
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(frames):
            image = np.full((height, width, 3), 2 if i < frames // 2 else 120, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return data.getvalue()


def contents(folder: Path) -> list[str]:
    """The files that hold anything."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
