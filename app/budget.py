"""A limit on the decoded pixels that the page holds at once, over all users."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from PIL import Image

from fer.io.images import open_image

# A picture in one block returns its memory to the system when it is freed. With Pillow's many small
# blocks, each thread would keep as many as its largest picture needed.
Image.core.set_block_size(1 << 30)


class PixelBudget:
    """Limit the pixels of decoded pictures that all threads hold together; further threads wait their turn.

    Args:
        limit: pixels.
    """

    def __init__(self, limit: int):
        self.limit, self.held = limit, 0
        self._turns: deque[object] = deque()  # first come, first served: small pictures do not overtake a large one
        self._changed = Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until this many pixels are free, then hold them during the `with` block.

        Raises:
            ValueError: more pixels than the limit.
        """
        if pixels > self.limit:
            raise ValueError(
                f"{pixels:,} pixels, more than the {self.limit:,} that fit in memory at once; upload a smaller copy"
            )
        turn = object()
        with self._changed:
            self._turns.append(turn)
            try:
                self._changed.wait_for(lambda: self._turns[0] is turn and self.held + pixels <= self.limit)
                self.held += pixels
            finally:
                self._turns.remove(turn)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.held -= pixels
                self._changed.notify_all()


def count_pixels(data: bytes, limit: int) -> int:
    """The number of pixels that an image's header states, at most `limit`; `limit` if the header cannot be read.

    A larger image is refused later, when it is read.
    """
    try:
        with open_image(data) as image:
            return min(image.width * image.height, limit)
    except Exception:  # reading the image will report the error
        return limit
