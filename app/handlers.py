"""What the tabs do, without Gradio: uploads in, HTML (or rows) out."""

from __future__ import annotations

import copy
import io
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from fer.draw import draw_faces
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.results import ImageResult
from fer.inference.sinks import Tally, open_sink, to_rows
from fer.inference.video import VideoReader, VideoWriter, predict_video
from fer.timeline import Timeline

from . import views
from .uploads import MAX_FILES, claim, open_uploads

MAX_PHOTOS = 20  # in the photo tab
MAX_PIXELS = 60_000_000  # of an uploaded picture
MAX_FRAMES = 3_600  # of a video: two minutes at 30 per second
REPORT = 0.5  # seconds between reports of progress


class Handlers:
    """The work of the page, for any number of users at once.

    Args:
        recognizer: its network is shared; each piece of work has a detector of its own and takes one core, so that
            others get their turn.
        arrivals: the folder where uploads arrive; paths elsewhere are not touched.
    """

    def __init__(self, recognizer: EmotionRecognizer, arrivals: Path):
        self.arrivals = arrivals
        self._recognizer = copy.copy(recognizer)
        self._recognizer.max_pixels, self._recognizer.batch_size = MAX_PIXELS, 16
        self.description = recognizer.description

    def _own(self) -> EmotionRecognizer:
        own = copy.copy(self._recognizer)
        own.detector = own.detector.copy()
        return own

    def recognise(self, paths: Iterable[str | Path], limit: int = MAX_FILES) -> Iterator[ImageResult]:
        """The results of uploaded images and archives of images, with their pictures; the uploads are deleted."""
        waiting: deque = deque()

        def readable() -> Iterator[bytes]:
            for upload in open_uploads(paths, self.arrivals, limit):
                waiting.append(upload._replace(data=b""))
                yield upload.data

        for result in self._own().predict_paths(readable(), keep_images=True, workers=0):
            upload = waiting.popleft()
            error = upload.error or result.error.removeprefix("image: ")
            yield replace(result, path=upload.name, error=error)

    def rows(self, paths: Iterable[str | Path], limit: int = MAX_FILES) -> list[dict]:
        """As `recognise`, a dict per face as in the files that `fer predict` writes, with `file` instead of `path`.

        (Clients of Gradio take a dict with a `path` for a file to download.)
        """
        rows = [row for result in self.recognise(paths, limit) for row in to_rows(result)]
        return [{"file": row.pop("path"), **row} for row in rows]

    def show_photos(self, paths: Iterable[str | Path]) -> str:
        """Annotated pictures with a card for each face, as HTML."""
        return "".join(views.photo(self._recognizer, result) for result in self.recognise(paths, MAX_PHOTOS))

    def show_sample(self, path: str | Path) -> str:
        """As `show_photos`, for a picture of ours, which is not deleted."""
        (result,) = self._own().predict_paths([path], keep_images=True, workers=0)
        return views.photo(self._recognizer, replace(result, path=Path(path).name))

    def show_batch(self, paths: list[str | Path]) -> Iterator[str]:
        """Progress, then the gallery by emotions with rows to download, as HTML."""
        tally, gallery, kept = Tally(), views.Gallery(self._recognizer), []
        reported = 0.0
        for result in self.recognise(paths):
            tally.add(result)
            gallery.add(result)
            kept.append(replace(result, image=None))
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

    def _show_video(self, path: Path) -> Iterator[str]:
        reader = VideoReader(path)
        reader.container.close()  # what it says of the video is all that is needed
        expected = min(reader.expected or MAX_FRAMES, MAX_FRAMES)
        every = 2 if reader.rate > 20 else 1
        film, timeline, tally, kept, reported = io.BytesIO(), Timeline(), Tally(), [], 0.0
        writer = VideoWriter(film, reader.rate, format="mp4")
        results = predict_video(self._own(), path, every, keep_images=True, workers=0)
        for result in islice(results, MAX_FRAMES):
            result = replace(result, path=path.name)
            if not result.repeated:
                kept.append(replace(result, image=None))
                tally.add(result)
            if result.image is not None:
                writer.write(draw_faces(result.image, result.faces, bars=True), result.time)
                timeline.add(result)
            if time.monotonic() - reported > REPORT:
                reported = time.monotonic()
                yield views.progress(f"frame {result.frame} of {expected}", (result.frame or 0) / max(expected, 1))
        results.close()
        writer.close()
        note = f"The first {MAX_FRAMES} frames are shown." if reader.expected > MAX_FRAMES else ""
        damage = kept[-1].error if kept else "no frame in it"
        yield views.video(
            film.getvalue(), _draw(timeline), tally, " ".join(filter(None, (note, damage)))
        ) + views.downloads(path.stem, self._files(kept, (".csv", ".parquet")))

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
        return views.about(self.description)


def _draw(timeline: Timeline) -> bytes:
    picture = io.BytesIO()
    timeline.draw(picture)
    return picture.getvalue()
