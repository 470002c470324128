"""Shards in the image convention of the `datasets` library: Parquet, as `fer pack` writes them, or `save_to_disk`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...io.images import ImageSource
from ...labels import VA, check_classes, class_of, order_classes
from ..dataset import Dataset
from ..samples import Samples
from .layouts import SPLITS, Layout, Parts, load_split

PATTERNS = {"train": ("train*",), "val": ("val*", "dev*"), "test": ("test*",)}


class ArrowImages:
    """Image files as bytes in an Arrow column, which is a single block of memory for any number of images."""

    def __init__(self, column):
        self.column = column  # binary, chunked

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, i: int, /) -> ImageSource:
        return self.column[int(i)].as_py()

    def __iter__(self) -> Iterator[ImageSource]:
        return (value.as_py() for value in self.column)

    def take(self, positions: np.ndarray) -> ArrowImages:
        return ArrowImages(self.column.take(positions))


def describe_columns(classes: tuple[str, ...], va: bool = False) -> dict:
    """Describe the columns for the `datasets` library, as JSON values for the schema's metadata.

    Args:
        va: whether there are columns of valence and arousal.
    """
    features = {"image": {"_type": "Image"}, "label": {"names": list(classes), "_type": "ClassLabel"}}
    features["name"] = {"dtype": "string", "_type": "Value"}
    numbers = (*classes, *VA) if va else classes
    return {"info": {"features": features | {c: {"dtype": "float32", "_type": "Value"} for c in numbers}}}


def load_parquet(root: str | Path, split: str, rule: str = "label") -> Samples:
    """Load one split of Parquet shards `train*.parquet`, `val*.parquet` (or `dev*`), `test*.parquet`, here or in data/.

    A folder that `DatasetDict.save_to_disk` wrote is read likewise: `train/*.arrow` and so on.

    Columns: `image`, a struct {bytes, path} or bytes; and either one column of probabilities per class, as `fer
    pack` writes them, or `label`: names, or integers whose names are in the metadata (ClassLabel). Classes are
    ordered as in `load_folder`. Columns `valence` and `arousal` are read where both are there.

    Raises:
        ValueError: no such shard, missing columns, a row without a label, an invalid class name, or a valence or
            arousal beyond -1 to 1.
    """
    return load_split("Parquet shards", root, split, _layouts(rule), draw=False)


def _layouts(rule: str) -> dict[str, Layout]:
    def find(root: Path) -> Parts | None:
        shards = {split: _find_shards(root, split) for split in SPLITS}
        return {split: partial(_read, root, paths, rule) for split, paths in shards.items() if paths} or None

    patterns = ", ".join(f"{p}.parquet" for split in SPLITS for p in PATTERNS[split])
    return {"parquet": Layout(f"{patterns}, here or in data/; or train/*.arrow ..., of save_to_disk", find)}


def _find_shards(root: Path, split: str) -> list[Path]:
    parquet = [s for f in (root, root / "data") for p in PATTERNS[split] for s in sorted(f.glob(f"{p}.parquet"))]
    return parquet or [s for p in PATTERNS[split] for s in sorted(root.glob(f"{p}/*.arrow"))]


def _read_table(shards: list[Path], columns: list[str] | None = None):
    import pyarrow
    import pyarrow.parquet

    if shards[0].suffix == ".parquet":
        return pyarrow.parquet.read_table(shards, columns=columns)
    streams = [pyarrow.ipc.open_stream(pyarrow.memory_map(str(shard))) for shard in shards]
    table = pyarrow.concat_tables(stream.read_all() for stream in streams)
    return table.select(columns) if columns else table


def _check_complete(shards: list[Path]) -> None:
    """Raise ValueError if shards are missing; names like train-00000-of-00003 state their number."""
    for shard in shards:
        _, _, total = shard.stem.partition("-of-")
        if total.isdigit() and int(total) != len(shards):
            raise ValueError(
                f"{shard}: one of {int(total)} shards, of which only {len(shards)} are here; copy the others too"
            )


def _read(root: Path, shards: list[Path], rule: str) -> Samples:
    _check_complete(shards)
    import pyarrow.compute

    table = _read_table(shards)
    if "image" not in table.column_names:
        raise ValueError(f"{shards[0]}: no column image; found {', '.join(table.column_names)}")
    metadata = _read_metadata(table, shards[0])
    try:
        classes, targets = _read_targets(table, metadata, root)
    except ValueError as error:
        raise ValueError(f"{shards[0]}: {error}") from None
    image = table["image"]
    is_struct = pyarrow.types.is_struct(image.type)
    images = pyarrow.compute.struct_field(image, "bytes") if is_struct else image
    if images.null_count:
        raise ValueError(
            f"{shards[0]}: {images.null_count} images have no bytes; embed the files: `save_to_disk` does so"
        )
    if "name" in table.column_names:
        names = table["name"].to_pylist()
    else:
        paths = pyarrow.compute.struct_field(image, "path").to_pylist() if is_struct else [None] * len(images)
        names = [path or f"{shards[0].parent.name}/{i}" for i, path in enumerate(paths)]
    packed = metadata["fer"]  # empty if the shards were not written by `fer pack`
    layout = f"parquet, packed from {packed['dataset']}" if packed else shards[0].suffix[1:]
    va = _read_va(table, shards) if set(VA) <= set(table.column_names) else None
    return Samples(ArrowImages(images), targets, names, classes, layout, packed.get("rule", rule), va=va)


def _read_va(table, shards: list[Path]) -> np.ndarray:
    """Valence and arousal [N,2], NaN where they are missing."""
    try:
        va = np.stack([table[name].to_numpy().astype(np.float32) for name in VA], 1)
    except ValueError:
        raise ValueError(f"{shards[0]}: its columns valence and arousal hold no numbers") from None
    if len(wrong := np.argwhere(np.abs(va) > 1)):
        row, column = wrong[0]
        ends = np.cumsum([_read_table([shard]).num_rows for shard in shards])
        shard = int(np.searchsorted(ends, row, "right"))
        raise ValueError(
            f"{shards[shard]}, row {row - ([0, *ends][shard])}: {VA[column]} is {va[row, column]:g}; "
            "expected a number of -1 to 1, or none where it is unknown"
        )
    return va


def _read_metadata(table, shard: Path) -> dict[str, dict]:
    """Read the JSON metadata that `fer pack` and the `datasets` library store in the schema."""
    stored: dict[str, dict] = {}
    for key in ("fer", "huggingface"):
        text = (table.schema.metadata or {}).get(key.encode()) or b"{}"
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise ValueError(f"{shard}: its metadata {key!r} is not a JSON object: {text[:60]!r}")
        stored[key] = values
    return stored


def _read_targets(table, metadata: dict[str, dict], root: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the classes and the probability vectors [N,C] of a table."""
    if packed := metadata["fer"]:
        classes = tuple(packed.get("classes") or ())
        check_classes(classes)
        if missing := [name for name in classes if name not in table.column_names]:
            raise ValueError(f"no column {', '.join(missing)}; found {', '.join(table.column_names)}")
        return classes, np.stack([table[name].to_numpy() for name in classes], 1).astype(np.float32)
    if "label" not in table.column_names:
        raise ValueError(f"no column label; found {', '.join(table.column_names)}")
    labels = table["label"].to_pylist()
    if None in labels:
        raise ValueError(f"row {labels.index(None)} has no label")
    are_names = all(isinstance(label, str) for label in labels)
    names = _names_in_all_splits(root) if are_names else _names_of(labels, metadata)
    classes = order_classes(names)
    index = {name: classes.index(class_of(name)) for name in names}
    indices = np.array([index[label if are_names else names[label]] for label in labels], int)
    return classes, np.eye(len(classes), dtype=np.float32)[indices]


def _names_in_all_splits(root: Path) -> list[str]:
    """The names in the `label` columns of all splits, so that all splits have the same classes."""
    names = set()
    for shards in filter(None, (_find_shards(root, split) for split in SPLITS)):
        column = _read_table(shards, ["label"])
        names |= {name for name in column["label"].unique().to_pylist() if isinstance(name, str)}
    return sorted(names)


def _names_of(labels: list, metadata: dict[str, dict]) -> list[str]:
    """The class names of integer labels. Raises ValueError if a label has no name."""
    names: Any = metadata["huggingface"]
    for key in ("info", "features", "label", "names"):
        names = names.get(key) if isinstance(names, dict) else None
    if not all(type(label) is int for label in labels):
        raise ValueError(f"column label holds {labels[0]!r}; expected names or integers")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "column label holds integers, but the metadata has no names for them; store names, or a ClassLabel"
        )
    for row, label in enumerate(labels):
        if not 0 <= label < len(names):
            raise ValueError(f"row {row} has the label {label}; expected 0 to {len(names) - 1}")
    return names


PARQUET = Dataset(load_parquet, {})
