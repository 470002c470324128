"""Small videos, and a detector for them."""

import av
import numpy as np

from fer.faces import Detection


def make_video(path, frames: int = 30, rate: int = 15, size: tuple[int, int] = (96, 128), pictures=None):
    """A video whose frame i has the gray value 2 i (or the given pictures)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            image = np.full((*size, 3), 2 * i, np.uint8) if pictures is None else pictures[i]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


class MovingFaces:
    """Two faces that change places in the list at each call, and none in dark frames."""

    name = "fake"
    max_side = float("inf")

    def __init__(self):
        self.calls = 0

    def for_threads(self, threads: int):
        return self

    def __call__(self, image):
        if image.mean() < 5:
            return []
        self.calls += 1
        boxes = [[10, 10, 40, 40], [70, 30, 110, 70]]
        order = boxes if self.calls % 2 else boxes[::-1]
        return [Detection(np.array(box, float), None, 0.9) for box in order]
