"""Results of recognition to be written, and the files that hold them."""

import csv
import json

import numpy as np
import pyarrow.parquet

from fer.results.rows import to_rows
from fer.results.sinks import open_sink
from fer.results.sinks.base import to_unicode
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


def read_csv(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def read_jsonl(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_parquet(path) -> list[dict]:
    return pyarrow.parquet.read_table(path).to_pylist()


READERS = {".csv": read_csv, ".jsonl": read_jsonl, ".parquet": read_parquet}


def read(path) -> list[dict]:
    return READERS[path.suffix](path)


def stored(name: str, suffix: str) -> str:
    """The name of a file as a format stores it: text formats also hold names that are not Unicode."""
    return name if suffix in (".csv", ".jsonl") else to_unicode(name)
