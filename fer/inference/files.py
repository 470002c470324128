"""Files of any kind to results: images share batches, videos come frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from ..images import VIDEO_SUFFIXES
from .recognizer import EmotionRecognizer
from .results import ImageResult
from .video import predict_video


def is_video(path: str | os.PathLike) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def predict_files(
    recognizer: EmotionRecognizer,
    paths: Iterable[str | os.PathLike],
    every: int = 1,
    keep_images: bool = False,
    workers: int | None = None,
) -> Iterator[ImageResult]:
    """The results of images and videos, in the order of `paths`: one of an image, one per frame of a video.

    A file that cannot be read gives a result with its `error`; the others go on. Arguments: see `predict_video`.
    """
    for videos, group in groupby(paths, is_video):
        if not videos:
            yield from recognizer.predict_paths(group, keep_images, workers)
            continue
        for path in group:
            try:
                yield from predict_video(recognizer, path, every, keep_images, workers)
            except ValueError as error:
                yield ImageResult(str(path), [], str(error).removeprefix(f"{path}: "))
