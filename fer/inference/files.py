"""Files of any kind to results: images share batches, videos come frame by frame, Parquet files row by row."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from ..io.paths import kind_of
from ..io.tables import ImageTable
from ..results.types import ImageResult
from .recognizer import EmotionRecognizer

log = logging.getLogger("fer")

REMEDIES = {
    "av": "reading videos needs PyAV: pip install 'dan-fer[video]'",
    "supervision": "tracking faces in videos needs supervision: pip install 'dan-fer[video]'",
    "pyarrow": "reading Parquet files needs pyarrow: pip install pyarrow",
}


def predict_files(
    recognizer: EmotionRecognizer,
    paths: Iterable[str | os.PathLike],
    every: int = 1,
    keep_images: bool = False,
    workers: int | None = None,
) -> Generator[ImageResult, None, None]:
    """The results of images, videos and Parquet files of images, in the order of `paths`.

    An image has one result, a video one per frame, a Parquet file one per row. A file that cannot
    be read gives a result with its `error`, after the results of the part that can be read; the
    other files go on.

    Args:
        every, keep_images, workers: see `EmotionRecognizer.predict_video`.
    """
    for kind, group in groupby(paths, kind_of):
        if kind == "image":
            yield from recognizer.predict_paths(group, keep_images, workers)
            continue
        for path in group:
            try:
                if kind == "video":
                    yield from recognizer.predict_video(path, every, keep_images, workers)
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


def predict_table(
    recognizer: EmotionRecognizer, path: str | os.PathLike, workers: int | None = None
) -> Iterator[ImageResult]:
    """One ImageResult per row of a Parquet file, in order; its `frame` is the number of the row, from 0.

    Where the file is damaged, the last result has the `error`.

    Args:
        path: of a file that `ImageTable` reads.
        workers: see `EmotionRecognizer.predict_paths`.

    Raises:
        ValueError: see `ImageTable`.
    """
    table = ImageTable(path)
    for number, result in enumerate(recognizer.predict_paths(table, workers=workers)):
        yield replace(result, path=str(path), frame=number, error=result.error.removeprefix("image: "))
    if table.error:
        yield ImageResult(str(path), [], table.error)
