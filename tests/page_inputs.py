"""What people give to the page."""

from __future__ import annotations

import io
import zipfile

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
