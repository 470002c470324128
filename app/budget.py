"""How many decoded pixels the page holds at once, whoever uploads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from PIL import Image

from fer.io.images import open_image

# A picture in one block goes back to the system when it is done; of many small blocks each thread would keep as many as its
# largest picture had.
Image.core.set_block_size(1 << 30)


class PixelBudget:
    """Lets threads hold decoded pictures up to a limit of pixels in all; the others wait for their turn.

    Args:
        limit: pixels.
    """

    def __init__(self, limit: int):
        self.limit, self.held = limit, 0
        self._turns: deque[object] = deque()  # a large picture is not passed by small ones for ever
        self._changed = Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until so many pixels are free, first come, first served, and hold them for the time of a `with` block.

        Raises:
            ValueError: more pixels than the limit, which would never be free.
        """
        if pixels > self.limit:
            raise ValueError(
                f"{pixels:,} pixels, more than the {self.limit:,} that are held at once; give a smaller copy"
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
    """The pixels of an image by its header, at most `limit`, beyond which it is refused; `limit` where none can be read."""
    try:
        with open_image(data) as image:
            return min(image.width * image.height, limit)
    except Exception:  # reading it will say what is wrong
        return limit
