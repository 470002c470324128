"""Any dataset as Parquet shards that the `datasets` library reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..io.atomic import write_atomically
from ..io.images import FORMATS, encode_image
from .datasets.parquet import describe_columns
from .samples import Samples

ROWS = 256  # encoded at a time


@dataclass(frozen=True)
class PackOptions:
    """How images are stored.

    Args:
        format: keep (the file as it is, PNG where there is none), or png, webp, jpeg.
        quality: of webp and jpeg, 1 to 100; 0 is lossless webp.
        size: photos are cut to crops of this many pixels; larger crops stay as they are.
        shard_megabytes: a shard is closed when its images reach it.
    """

    format: str = "keep"
    quality: int = 0
    size: int = 224
    shard_megabytes: float = 256.0

    def __post_init__(self) -> None:
        if self.format not in ("keep", *FORMATS):
            raise ValueError(f"unknown format {self.format!r}; choose one of keep, {', '.join(FORMATS)}")
        if not (0 <= self.quality <= 100 and self.size >= 16 and self.shard_megabytes > 0):
            raise ValueError("--quality is 0 to 100, --size at least 16 and --shard-megabytes above 0")
        if self.format == "jpeg" and not self.quality:
            raise ValueError("--format jpeg needs a --quality of 1 to 100, e.g. 95")


@dataclass
class Packed:
    """What became of a split."""

    shards: list[Path]
    rows: int
    unreadable: list[str]  # why each image was left out


def pack_split(
    samples: Samples,
    out: str | Path,
    dataset: str,
    split: str,
    options: PackOptions,
    align: Callable[[np.ndarray], np.ndarray | None] | None = None,
    template: np.ndarray | None = None,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> Packed:
    """Write a split as shards `SPLIT-00000-of-00002.parquet` in the folder `out`.

    A shard that is not the last of its split yet is called `*.part`, and nothing reads it; a call that was interrupted
    goes on after the last whole one. What cannot be read is left out, and reported.

    Args:
        align: brings the face of a crop [H,W,3] to the template; None where it finds none, and the crop stays.
        template: where photos are cut to crops, by their annotation, the landmarks [5,2] of the crop.
        on_rows: told how many rows are done, each time.

    Raises:
        ValueError: `out` holds this split already, or a part of it that was packed with other settings.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if done := sorted(out.glob(f"{split}-*.parquet")):
        raise ValueError(f"{done[0]} is there already; remove it, or choose another folder")
    settings: dict[str, Any] = {
        "dataset": dataset,
        "split": split,
        "rule": samples.rule,
        "classes": list(samples.classes),
    }
    settings |= {"options": vars(options), "aligned": align is not None, "images": len(samples)}
    settings["template"] = np.reshape([] if template is None else template, (-1, 2)).round(6).tolist()
    packed, start = _resume(out, split, settings)
    on_rows(start)
    encode = _Encoder(samples, options, align, settings["template"])
    for end, rows, unreadable in _shards(encode, start, options.shard_megabytes * 1e6, on_rows):
        path = out / f"{split}-{len(packed.shards):05d}.part"
        packed.unreadable += unreadable
        _write(path, rows, samples, settings | {"end": end, "unreadable": unreadable})
        packed.shards.append(path)
        packed.rows += len(rows)
    for i, path in enumerate(packed.shards):
        packed.shards[i] = path.rename(out / f"{split}-{i:05d}-of-{len(packed.shards):05d}.parquet")
    return packed


def _resume(out: Path, split: str, settings: dict) -> tuple[Packed, int]:
    """What an interrupted call has left, and the image to go on with."""
    import pyarrow.parquet

    packed, end = Packed([], 0, []), 0
    for path in sorted(out.glob(f"{split}-*.part")):
        file = pyarrow.parquet.read_metadata(path)
        told = json.loads(file.metadata[b"fer"])
        end, unreadable = told.pop("end"), told.pop("unreadable")
        if told != json.loads(json.dumps(settings)):
            raise ValueError(f"{path} was packed from something else or with other settings; remove it to start again")
        packed = Packed([*packed.shards, path], packed.rows + file.num_rows, packed.unreadable + unreadable)
    return packed, end


def _shards(
    encode: _Encoder, start: int, limit: float, on_rows: Callable[[int], object]
) -> Iterator[tuple[int, list, list]]:
    """(end, rows, unreadable) of each shard; a row is (index, bytes)."""
    n, size = len(encode.samples), 0
    rows: list[tuple[int, bytes]] = []
    unreadable: list[str] = []
    with ThreadPoolExecutor() as pool:
        for begin in range(start, n, ROWS):
            chunk = range(begin, min(begin + ROWS, n))
            for i, found in zip(chunk, pool.map(encode, chunk)):
                if isinstance(found, ValueError):
                    unreadable.append(f"{encode.samples.names[i]}: {found}")
                    continue
                if rows and size + len(found) > limit:
                    yield i, rows, unreadable
                    rows, unreadable, size = [], [], 0
                rows.append((i, found))
                size += len(found)
            on_rows(len(chunk))
    if rows or unreadable or not n:
        yield n, rows, unreadable


class _Encoder:
    """Index -> the bytes of an image file, or the error that hinders it."""

    def __init__(self, samples: Samples, options: PackOptions, align: Callable | None, template: list):
        self.samples, self.options, self.align, self.template = samples, options, align, np.array(template)
        self.lock = Lock()  # detectors are not for several threads

    def __call__(self, i: int) -> bytes | ValueError:
        o, source = self.options, self.samples.images[i]
        try:
            crop = self.samples.crop(i, self.template, o.size)  # also where the file is kept: it must be readable
            with self.lock:
                aligned = self.align(crop) if self.align else None
            whole = self.samples.boxes is None and aligned is None
            if o.format == "keep" and whole and not isinstance(source, np.ndarray):
                return source if isinstance(source, bytes) else Path(str(source)).read_bytes()
            return encode_image(
                crop if aligned is None else aligned, "png" if o.format == "keep" else o.format, o.quality
            )
        except ValueError as error:
            return error


def _write(path: Path, rows: list[tuple[int, bytes]], samples: Samples, settings: dict) -> None:
    import pyarrow
    import pyarrow.parquet

    at = [i for i, _ in rows]
    targets = samples.targets[at].reshape(-1, len(samples.classes))
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    names = [samples.names[i] for i in at]
    columns = {
        "image": pyarrow.array([{"bytes": data, "path": name} for (_, data), name in zip(rows, names)], image),
        "label": pyarrow.array(targets.argmax(1), pyarrow.int64()),
        "name": pyarrow.array(names, pyarrow.string()),
    }
    columns |= {c: pyarrow.array(targets[:, k], pyarrow.float32()) for k, c in enumerate(samples.classes)}
    told = {"fer": json.dumps(settings), "huggingface": json.dumps(describe_columns(samples.classes))}
    table = pyarrow.table(columns).replace_schema_metadata(told)
    write_atomically(path, lambda temporary: pyarrow.parquet.write_table(table, temporary, row_group_size=1000))
