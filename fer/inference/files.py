"""Files of any kind to results: images share batches, videos come frame by frame, Parquet files row by row."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from ..images import VIDEO_SUFFIXES
from .recognizer import EmotionRecognizer
from .results import ImageResult
from .tables import TABLE_SUFFIX, predict_table
from .video import predict_video

log = logging.getLogger("fer")

REMEDIES = {
    "av": "reading videos needs PyAV: pip install 'dan-fer[video]'",
    "supervision": "tracking faces in videos needs supervision: pip install 'dan-fer[video]'",
    "pyarrow": "reading Parquet files needs pyarrow: pip install pyarrow",
}


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

    A file that cannot be read gives a result with its `error`, after those of its part that can; the others go on.
    Arguments: see `predict_video`.
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
            except Exception as error:  # decoders raise many kinds; the other files go on
                log.debug("%s", path, exc_info=True)
                yield ImageResult(str(path), [], _describe(error).removeprefix(f"{path}: "))


def _describe(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name in REMEDIES:
        return REMEDIES[error.name]
    if type(error) is ValueError:  # raised for its message
        return str(error)
    return f"cannot be read ({type(error).__name__}: {error})"
