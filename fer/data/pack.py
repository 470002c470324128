"""Pack any dataset as Parquet shards that the `datasets` library reads."""

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
from ..labels import VA
from .datasets.parquet import describe_columns
from .samples import Samples

ROWS = 256  # images encoded at a time


@dataclass(frozen=True)
class PackOptions:
    """How images are stored.

    Args:
        format: keep (the original file; PNG if there is no file), png, webp or jpeg.
        quality: of webp and jpeg, 1 to 100; 0: lossless webp.
        size: side in pixels of the crops cut out of photos; images that are already crops keep their size.
        shard_megabytes: maximum size of the images in a shard.
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
    """The result of packing a split."""

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
    align_share: float = 1.0,
) -> Packed:
    """Write a split as shards `SPLIT-00000-of-00002.parquet` in the folder `out`.

    Until the split is complete, shards are named `*.part` and are not read as data. A repeated call resumes an
    interrupted one after its last complete shard. Images that cannot be read are left out and reported.

    Args:
        align: aligns the face in a crop [H,W,3]; returns None if it finds no face, and the crop is stored
            unchanged.
        template: landmarks [5,2] to which annotated faces are aligned when they are cut out of photos.
        on_rows: callback, called with the number of images processed since the last call.
        align_share: share of the images to align, above 0, up to 1. They are drawn at random, but each call draws the
            same ones. The others are stored unchanged.

    Raises:
        ValueError: `out` already holds this split, or a part of it that was packed with other settings.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if existing := sorted(out.glob(f"{split}-*.parquet")):
        raise ValueError(f"{existing[0]} already exists; remove it, or choose another folder")
    settings: dict[str, Any] = {
        "dataset": dataset,
        "split": split,
        "rule": samples.rule,
        "classes": list(samples.classes),
    }
    settings |= {} if samples.va is None else {"va": True}
    settings |= {"options": vars(options), "aligned": align is not None, "images": len(samples)}
    settings |= {} if align_share == 1 else {"align_share": align_share}
    settings["template"] = np.reshape([] if template is None else template, (-1, 2)).round(6).tolist()
    packed, start = _resume(out, split, settings)
    on_rows(start)
    encode = _Encoder(samples, options, align, align_share, settings["template"])
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
    """Return the shards of an interrupted call, and the index of the next image."""
    import pyarrow.parquet

    packed, end = Packed([], 0, []), 0
    for path in sorted(out.glob(f"{split}-*.part")):
        file = pyarrow.parquet.read_metadata(path)
        metadata = json.loads(file.metadata[b"fer"])
        end, unreadable = metadata.pop("end"), metadata.pop("unreadable")
        if metadata != json.loads(json.dumps(settings)):
            raise ValueError(f"{path} was packed from other data or with other settings; remove it to start again")
        packed = Packed([*packed.shards, path], packed.rows + file.num_rows, packed.unreadable + unreadable)
    return packed, end


def _shards(
    encode: _Encoder, start: int, limit: float, on_rows: Callable[[int], object]
) -> Iterator[tuple[int, list, list]]:
    """Yield (index after the last image, rows, unreadable) of each shard; a row is (index, bytes)."""
    n, size = len(encode.samples), 0
    rows: list[tuple[int, bytes]] = []
    unreadable: list[str] = []
    with ThreadPoolExecutor() as pool:
        for begin in range(start, n, ROWS):
            chunk = range(begin, min(begin + ROWS, n))
            for i, data in zip(chunk, pool.map(encode, chunk)):
                if isinstance(data, ValueError):
                    unreadable.append(f"{encode.samples.names[i]}: {data}")
                    continue
                if rows and size + len(data) > limit:
                    yield i, rows, unreadable
                    rows, unreadable, size = [], [], 0
                rows.append((i, data))
                size += len(data)
            on_rows(len(chunk))
    if rows or unreadable or not n:
        yield n, rows, unreadable


class _Encoder:
    """Encode the image at an index as the bytes of a file; return the error if it cannot be read."""

    def __init__(
        self, samples: Samples, options: PackOptions, align: Callable | None, align_share: float, template: list
    ):
        self.samples, self.options, self.align, self.template = samples, options, align, np.array(template)
        self.to_align = np.random.default_rng(0).random(len(samples)) >= 1 - align_share
        self.lock = Lock()  # detectors are not thread-safe

    def __call__(self, i: int) -> bytes | ValueError:
        o, source = self.options, self.samples.images[i]
        try:
            crop = self.samples.crop(
                i, self.template, o.size
            )  # also for format keep, to check that the file is readable
            with self.lock:
                aligned = self.align(crop) if self.align and self.to_align[i] else None
            unchanged = self.samples.boxes is None and aligned is None
            if o.format == "keep" and unchanged and not isinstance(source, np.ndarray):
                return source if isinstance(source, bytes) else Path(str(source)).read_bytes()
            return encode_image(
                crop if aligned is None else aligned, "png" if o.format == "keep" else o.format, o.quality
            )
        except ValueError as error:
            return error


def _write(path: Path, rows: list[tuple[int, bytes]], samples: Samples, settings: dict) -> None:
    import pyarrow
    import pyarrow.parquet

    indices = [i for i, _ in rows]
    targets = samples.targets[indices].reshape(-1, len(samples.classes))
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    names = [samples.names[i] for i in indices]
    columns = {
        "image": pyarrow.array([{"bytes": data, "path": name} for (_, data), name in zip(rows, names)], image),
        "label": pyarrow.array(targets.argmax(1), pyarrow.int64()),
        "name": pyarrow.array(names, pyarrow.string()),
    }
    numbers = {name: targets[:, k] for k, name in enumerate(samples.classes)}
    if samples.va is not None:
        numbers |= dict(zip(VA, samples.va[indices].reshape(-1, 2).T))
    columns |= {c: pyarrow.array(values, pyarrow.float32(), from_pandas=True) for c, values in numbers.items()}
    description = describe_columns(samples.classes, samples.va is not None)
    metadata = {"fer": json.dumps(settings), "huggingface": json.dumps(description)}
    table = pyarrow.table(columns).replace_schema_metadata(metadata)
    write_atomically(path, lambda temporary: pyarrow.parquet.write_table(table, temporary, row_group_size=1000))
