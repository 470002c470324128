"""Files of any kind to results: images share batches, videos come frame by frame, Parquet files row by row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from ..images import VIDEO_SUFFIXES
from .recognizer import EmotionRecognizer
from .results import ImageResult
from .tables import TABLE_SUFFIX, predict_table
from .video import predict_video


def kind_of(path: str | os.PathLike) -> str:
    """image, video or table, by the suffix."""
    suffix = Path(path).suffix.lower()
    return "video" if suffix in VIDEO_SUFFIXES else "table" if suffix == TABLE_SUFFIX else "image"


def predict_files(
    recognizer: EmotionRecognizer,
    paths: Iterable[str | os.PathLike],
    every: int = 1,
    keep_images: bool = False,
    workers: int | None = None,
) -> Iterator[ImageResult]:
    """The results of images, videos and Parquet files of images, in the order of `paths`: one of an image, one per frame
    of a video, one per row of a Parquet file.

    A file that cannot be read gives a result with its `error`; the others go on. Arguments: see `predict_video`.
    """
    for kind, group in groupby(paths, kind_of):
        if kind == "image":
            yield from recognizer.predict_paths(group, keep_images, workers)
            continue
        for path in group:
            try:
                if kind == "video":
                    yield from predict_video(recognizer, path, every, keep_images, workers)
                else:
                    yield from predict_table(recognizer, path, workers)
            except ValueError as error:
                yield ImageResult(str(path), [], str(error).removeprefix(f"{path}: "))
