"""What the tabs do, without Gradio: uploads in, HTML (or rows) out."""

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
from fer.results.rows import to_rows
from fer.results.sinks import open_sink
from fer.results.tally import Tally
from fer.results.types import ImageResult

from . import video, views
from .budget import PixelBudget, count_pixels
from .uploads import MAX_FILES, Upload, claim, open_uploads

log = logging.getLogger("fer")
Made = TypeVar("Made")

MAX_PHOTOS = 20  # in the photo tab
MAX_PIXELS = 60_000_000  # of an uploaded picture
HELD_PIXELS = 80_000_000  # of the pictures of all users that are decoded at the same time; about 16 bytes each
HELD_FRAME_PIXELS = 2 * video.MAX_FRAME_PIXELS  # of a frame each of the videos of all users that are looked at
REPORT = 0.5  # seconds between reports of progress


class Handlers:
    """The work of the page, for any number of users at once.

    Args:
        recognizer: its network and its detector are shared. Each piece of work takes one core, so that others get their turn.
        arrivals: the folder where uploads arrive; paths elsewhere are not touched.
    """

    def __init__(self, recognizer: EmotionRecognizer, arrivals: Path):
        self.arrivals = arrivals
        self._recognizer = recognizer.for_threads(count_cores())
        self._recognizer.max_pixels = min(recognizer.max_pixels, MAX_PIXELS)
        self._pictures, self._videos = PixelBudget(HELD_PIXELS), PixelBudget(HELD_FRAME_PIXELS)
        self.description = recognizer.description

    def recognise(
        self, paths: Iterable[str | Path], make: Callable[[ImageResult], Made], limit: int = MAX_FILES
    ) -> Iterator[Made]:
        """What `make` makes of the result of each uploaded image, also in archives; the uploads are deleted.

        `make` sees the picture, which is gone when the next one is decoded. Whatever is wrong with an upload gives a result
        with its `error`, and the others go on.
        """
        for upload in open_uploads(paths, self.arrivals, limit):
            yield self._look_at(upload, make)

    def _look_at(self, upload: Upload, make: Callable[[ImageResult], Made]) -> Made:
        problem = upload.error
        try:
            if not problem:
                with self._pictures.hold(count_pixels(upload.data, self._recognizer.max_pixels)):
                    return make(_read(upload, self._recognizer))
        except Exception as error:
            log.exception("an upload failed")
            problem = f"could not be looked at ({type(error).__name__})"
        return make(ImageResult(upload.name, [], problem))

    def rows(self, paths: Iterable[str | Path], limit: int = MAX_FILES) -> list[dict]:
        """The faces of uploads, a dict each as in the files that `fer predict` writes, with `file` instead of `path`.

        (Clients of Gradio take a dict with a `path` for a file to download.)
        """
        rows = [row for made in self.recognise(paths, lambda result: list(to_rows(result)), limit) for row in made]
        return [{"file": row.pop("path"), **row} for row in rows]

    def show_photos(self, paths: Iterable[str | Path]) -> str:
        """Annotated pictures with a card for each face, as HTML."""
        return "".join(self.recognise(paths, self._show_photo, MAX_PHOTOS))

    def show_sample(self, path: str | Path) -> str:
        """As `show_photos`, for a picture of ours, which is not deleted."""
        return self._look_at(Upload(Path(path).name, Path(path).read_bytes()), self._show_photo)

    def _show_photo(self, result: ImageResult) -> str:
        return views.photo(self._recognizer, result)

    def show_batch(self, paths: list[str | Path]) -> Iterator[str]:
        """Progress, then the gallery by emotions with rows to download, as HTML."""
        tally, gallery, kept = Tally(), views.Gallery(self._recognizer), []
        reported = 0.0

        def add(result: ImageResult) -> ImageResult:
            gallery.add(result)
            tally.add(result)
            return replace(result, image=None)

        for result in self.recognise(paths, add):
            kept.append(result)
            if time.monotonic() - reported > REPORT:
                reported = time.monotonic()
                yield views.progress(f"{len(kept)} pictures looked at, {tally.emotions.total()} faces found")
        yield gallery.show(tally) + views.downloads("faces", self._files(kept, (".csv", ".parquet")))

    def show_video(self, path: str | Path) -> Iterator[str]:
        """Progress, then the annotated video, its timeline and rows to download, as HTML; the upload is deleted."""
        with claim([path], self.arrivals) as (taken,):
            try:
                yield from self._show_video(taken)
            except ValueError as error:
                yield views.problem(f"{taken.name}: {str(error).removeprefix(f'{taken}: ')}")
            except Exception as error:
                log.exception("a video failed")
                yield views.problem(f"{taken.name}: could not be looked at ({type(error).__name__})")

    def _show_video(self, path: Path) -> Iterator[str]:
        copy = video.AnnotatedCopy(path)
        with self._videos.hold(copy.pixels):
            reported = 0.0
            for result in copy.look(self._recognizer):
                copy.add(result)
                if time.monotonic() - reported > REPORT:
                    reported = time.monotonic()
                    yield views.progress(f"frame {result.frame} of {copy.expected}", copy.part)
            copy.close()
        files = self._files(copy.kept, (".csv", ".parquet"))
        yield views.video(copy.film.getvalue(), copy.draw_timeline(), copy.tally, copy.note) + views.downloads(
            path.stem, files
        )

    def _files(self, results: list[ImageResult], suffixes: Iterable[str]) -> dict[str, bytes]:
        """The rows of results as files by their suffixes."""
        files = {}
        with tempfile.TemporaryDirectory() as folder:
            for suffix in suffixes:
                path = Path(folder, f"rows{suffix}")
                with open_sink(path, self.description.classes) as sink:
                    for result in results:
                        sink.write(to_rows(result))
                files[suffix] = path.read_bytes()
        return files

    def about(self) -> str:
        """The model card in short, as Markdown."""
        return views.about(self._recognizer)


def _read(upload: Upload, recognizer: EmotionRecognizer) -> ImageResult:
    (result,) = recognizer.predict_paths([upload.data], keep_images=True, workers=0)
    return replace(result, path=upload.name, error=result.error.removeprefix("image: "))
