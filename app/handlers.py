"""The work behind the tabs, without Gradio: from uploads to HTML or rows."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fer.device import count_cores
from fer.inference.recognizer import EmotionRecognizer
from fer.results.rows import face_columns, to_rows
from fer.results.sinks import open_sink
from fer.results.tally import Tally
from fer.results.types import ImageResult

from . import photos, video, views
from .about import write_about
from .budget import PixelBudget, count_pixels
from .uploads import MAX_FILES, Upload, claim, open_uploads

log = logging.getLogger("fer")
Made = TypeVar("Made")

MAX_PHOTOS = 20  # in the photo tab
MAX_PIXELS = 60_000_000  # per uploaded picture
HELD_PIXELS = 80_000_000  # decoded at the same time, over all users; about 16 bytes each
HELD_FRAME_PIXELS = 2 * video.MAX_FRAME_PIXELS  # frames of videos processed at the same time, over all users
REPORT = 0.5  # seconds between reports of progress


class Handlers:
    """The work of the page, for any number of users at once.

    Args:
        recognizer: its network and detector are shared. Each request uses one core; requests run side by side.
        arrivals: the folder where uploads arrive; paths elsewhere are not touched.
    """

    def __init__(self, recognizer: EmotionRecognizer, arrivals: Path):
        self.arrivals = arrivals
        self._recognizer = recognizer.for_threads(count_cores())
        self._recognizer.max_pixels = min(recognizer.max_pixels, MAX_PIXELS)
        self._pictures, self._videos = PixelBudget(HELD_PIXELS), PixelBudget(HELD_FRAME_PIXELS)
        self.description = recognizer.description

    def recognise(
        self, sources: Iterable[str | Path | Upload], make: Callable[[ImageResult], Made], limit: int = MAX_FILES
    ) -> Iterator[Made]:
        """Recognise each uploaded image, also inside archives, and yield `make(result)`; the uploads are deleted.

        `make` is called with a result that holds the picture, which is freed before the next one is decoded. A
        faulty upload gives a result with an `error`; the others are not affected.
        """
        for upload in open_uploads(sources, self.arrivals, limit):
            yield self._process(upload, make)

    def _process(self, upload: Upload, make: Callable[[ImageResult], Made]) -> Made:
        problem = upload.error
        try:
            if not problem:
                with self._pictures.hold(count_pixels(upload.data, self._recognizer.max_pixels)):
                    return make(_read(upload, self._recognizer))
        except Exception as error:
            log.exception("an upload failed")
            problem = f"could not be processed ({type(error).__name__})"
        return make(ImageResult(upload.name, [], problem))

    def rows(self, sources: Iterable[str | Path | Upload], limit: int = MAX_FILES) -> list[dict]:
        """The rows of uploads, as in the files that `fer predict` writes, with `file` instead of `path`.

        (Gradio's clients treat a dict with a `path` as a file to download.)
        """
        per_image = self.recognise(sources, lambda result: list(to_rows(result)), limit)
        rows = [row for image_rows in per_image for row in image_rows]
        return [{"file": row.pop("path"), **row} for row in rows]

    def show_photos(self, paths: Iterable[str | Path]) -> str:
        """Recognise photos; return annotated pictures with a card for each face, as HTML."""
        return "".join(self.recognise(paths, self._show_photo, MAX_PHOTOS))

    def show_sample(self, path: str | Path) -> str:
        """Like `show_photos`, for a sample of the project, which is not deleted."""
        return self._process(Upload(Path(path).name, Path(path).read_bytes()), self._show_photo)

    def _show_photo(self, result: ImageResult) -> str:
        return photos.show_photo(self._recognizer, result)

    def show_batch(self, paths: list[str | Path]) -> Iterator[str]:
        """Yield progress, then the gallery by emotion with rows to download, as HTML."""
        tally, gallery, results = Tally(), views.Gallery(self._recognizer), []
        last_report = 0.0

        def add(result: ImageResult) -> ImageResult:
            gallery.add(result)
            tally.add(result)
            return replace(result, image=None)

        for result in self.recognise(paths, add):
            results.append(result)
            if time.monotonic() - last_report > REPORT:
                last_report = time.monotonic()
                yield views.progress(f"{len(results)} pictures processed, {tally.emotions.total()} faces found")
        yield gallery.show(tally) + views.downloads("faces", self._files(results, (".csv", ".parquet")))

    def show_video(self, path: str | Path) -> Iterator[str]:
        """Yield progress, then the annotated video, its timeline and rows to download, as HTML; delete the upload."""
        with claim([path], self.arrivals) as (claimed,):
            try:
                yield from self._show_video(claimed)
            except ValueError as error:
                yield views.problem(f"{claimed.name}: {str(error).removeprefix(f'{claimed}: ')}")
            except Exception as error:
                log.exception("a video failed")
                yield views.problem(f"{claimed.name}: could not be processed ({type(error).__name__})")

    def _show_video(self, path: Path) -> Iterator[str]:
        copy = video.AnnotatedCopy(path)
        with self._videos.hold(copy.pixels):
            last_report = 0.0
            for result in copy.recognise(self._recognizer):
                copy.add(result)
                if time.monotonic() - last_report > REPORT:
                    last_report = time.monotonic()
                    yield views.progress(f"frame {result.frame} of {copy.expected}", copy.progress)
            copy.close()
        files = self._files(copy.results, (".csv", ".parquet"))
        yield views.video(copy.film.getvalue(), copy.draw_timeline(), copy.tally, copy.note) + views.downloads(
            path.stem, files
        )

    def _files(self, results: list[ImageResult], suffixes: Iterable[str]) -> dict[str, bytes]:
        """Write the rows of results as files; return {suffix: content}."""
        files = {}
        with tempfile.TemporaryDirectory() as folder:
            for suffix in suffixes:
                path = Path(folder, f"rows{suffix}")
                with open_sink(path, face_columns(self.description)) as sink:
                    for result in results:
                        sink.write(to_rows(result))
                files[suffix] = path.read_bytes()
        return files

    def about(self) -> str:
        """A short model card, as Markdown."""
        return write_about(self._recognizer)


def _read(upload: Upload, recognizer: EmotionRecognizer) -> ImageResult:
    (result,) = recognizer.predict_paths([upload.data], keep_images=True, workers=0)
    return replace(result, path=upload.name, error=result.error.removeprefix("image: "))
