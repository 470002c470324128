"""The frames of a video, one after another, to results with tracked faces."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice

import numpy as np

from ..io.video import Frame, VideoReader, count_in_flight
from ..results.types import ImageResult
from .tracks import Tracks

NO_IMAGE = np.empty((0, 0, 3), np.uint8)  # of a frame whose picture is not kept
Predict = Callable[..., Iterator[ImageResult]]  # called as predict(images, ahead=N), see `predict_paths`


def follow_faces(
    reader: VideoReader, predict: Predict, tracks: Tracks, every: int, keep_images: bool, waiting: int
) -> Iterator[ImageResult]:
    """One ImageResult per frame; see `EmotionRecognizer.predict_video`.

    A frame of another size than the one before is always looked at.

    Args:
        predict: images to results, such as `EmotionRecognizer.predict_paths`.
        waiting: frames that may wait for their results at the same time, if they are small.
    """
    for size, frames in groupby(reader, lambda frame: frame.image.shape[:2]):
        for first, skipped, result in _predict_every(frames, size, predict, every, keep_images, waiting):
            result = replace(
                result,
                path=reader.path,
                frame=first.number,
                time=first.time,
                image=first.image if keep_images else None,
            )
            yield (result := tracks.follow(result))
            for frame in skipped:
                yield replace(result, frame=frame.number, time=frame.time, image=frame.image, repeated=True)
    if reader.error:
        yield ImageResult(reader.path, [], reader.error)


def _predict_every(
    frames: Iterator[Frame], size: tuple[int, int], predict: Predict, every: int, keep_images: bool, waiting: int
) -> Iterator[tuple[Frame, Iterable[Frame], ImageResult]]:
    """Every N-th of frames of one size, the frames after it that are skipped, and its result."""
    pending: deque[tuple[Frame, Iterable[Frame]]] = deque()
    held = 2 * every if keep_images else 1  # frames in memory for each one that is looked at
    ahead = count_in_flight(size[0] * size[1] * held, waiting)

    def images() -> Iterator[np.ndarray]:
        for frame in frames:
            skipped: Iterable[Frame] = islice(frames, every - 1)
            if not keep_images:
                deque(skipped, maxlen=0)
                skipped = ()
            elif ahead > 1:  # otherwise they are read after the result of the first
                skipped = list(skipped)
            pending.append((frame if keep_images else frame._replace(image=NO_IMAGE), skipped))
            yield frame.image

    for result in predict(images(), ahead=ahead):
        yield *pending.popleft(), result
