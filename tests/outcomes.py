"""Results of recognition to be written, and the files that hold them."""

import csv
import json

import numpy as np
import pyarrow.parquet

from fer.results.rows import to_rows
from fer.results.sinks import open_sink
from fer.results.types import Face, ImageResult

EMOTIONS = ("neutral", "anger")


def result(path: str, faces: int, error: str = "") -> ImageResult:
    face = Face(np.array([1, 2, 3, 4.56]), None, float("nan"), {"neutral": 0.25, "anger": 0.75}, "", False)
    return ImageResult(path, [face] * faces, error)


# Names that tables get wrong: commas, quotes, line ends, no Unicode.
RESULTS = [
    result("a.jpg", 2),
    result('b, "c"\nd\r\n.jpg', 3),
    result("é 😀.jpg", 0),
    result("bad\udcff.jpg", 0, "not an image file"),
    result("last.jpg", 2),
]


def write(path, results, resume: bool = False, **options) -> set[str]:
    with open_sink(path, EMOTIONS, resume, **options) as sink:
        done = set(sink.done)
        for r in results:
            if not sink.has(r.path):
                sink.write(to_rows(r))
    return done


def read(path) -> list[dict]:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [json.loads(line) for line in file] if path.suffix == ".jsonl" else list(csv.DictReader(file))
