"""Parquet shards: classes by metadata, by names and by columns; shards that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from fer.data import load_samples
from fer.io.images import encode_image


def png() -> bytes:
    return encode_image(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8))


def write_table(path: Path, columns: dict, metadata: dict | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(columns)
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({k: json.dumps(v) for k, v in (metadata or {}).items()}), path
    )


def named(*names: str) -> dict:
    return {"huggingface": {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}}


NAMED = named("sad", "Happy", "anger")


@pytest.mark.parametrize(
    ("columns", "metadata", "labels"),
    [
        # integers that the metadata names, in an order of its own
        ({"image": [{"bytes": png(), "path": "x.png"}] * 2, "label": [0, 1]}, NAMED, ["sadness", "happiness"]),
        # names of emotions, and plain bytes
        ({"image": [png(), png()], "label": ["Angry", "fear"]}, None, ["anger", "fear"]),
        # other names, of both kinds
        ({"image": [png()] * 3, "label": ["tired", "Happy", "calm"]}, None, ["tired", "happiness", "calm"]),
        ({"image": [png()] * 2, "label": [1, 0]}, named("tired", "calm", "happy"), ["calm", "tired"]),
    ],
)
def test_foreign_shards(tmp_path, columns, metadata, labels):
    write_table(tmp_path / "data" / "train-00000-of-00001.parquet", columns, metadata)
    samples = load_samples("parquet", tmp_path, "train")
    assert [samples.classes[i] for i in samples.targets.argmax(1)] == labels
    assert samples.read(0).shape == (40, 40, 3)


def test_classes_are_those_of_all_splits(tmp_path):
    """A network that was trained on train fits the other splits, where tired does not occur."""
    write_table(tmp_path / "train.parquet", {"image": [png()] * 3, "label": ["tired", "happy", "calm"]})
    write_table(tmp_path / "val.parquet", {"image": [png()] * 2, "label": ["Happiness", "calm"]})
    for split in ("train", "val"):
        assert load_samples("parquet", tmp_path, split).classes == ("happiness", "calm", "tired")


@pytest.mark.parametrize(
    ("columns", "metadata", "message"),
    [
        ({"label": [0, 3]}, NAMED, "train.parquet: row 1 has the label 3; expected 0 to 2"),
        ({"label": [0, -1]}, NAMED, "row 1 has the label -1"),  # as the datasets library writes it where there is none
        ({"label": [0, None]}, NAMED, "row 1 has no label"),
        ({"label": [None, "happy"]}, None, "row 0 has no label"),
        ({"label": [0.5, 1.5]}, NAMED, "column label holds 0.5; expected names or integers"),
        ({"label": [0, 1]}, {"huggingface": {"info": []}}, "the metadata has no names for them"),
        (
            {"label": [0, 1]},
            {"huggingface": {"info": {"features": {"label": {"names": "ab"}}}}},
            "the metadata has no names",
        ),
        ({"label": [0, 1]}, {"huggingface": []}, "metadata 'huggingface' is not a JSON object"),
        ({"label": [0, 1]}, {"fer": {"classes": ["a"]}}, "train.parquet: no column a; found image, label"),
        ({"label": [0, 1]}, {"fer": {"dataset": "x"}}, "expected at least one name"),
        ({"label": ["path", "happy"]}, None, "train.parquet: classes: 'path' is the name of another column"),
        ({"label": ["", "happy"]}, None, "expected names without blanks around them, got ''"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path, columns, metadata, message):
    write_table(tmp_path / "train.parquet", {"image": [png()] * 2} | columns, metadata)
    with pytest.raises(ValueError, match=message):
        load_samples("parquet", tmp_path, "train")


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("train.parquet", {"image": [png()], "label": [0]}, "the metadata has no names for them"),
        ("train.parquet", {"image": [png()]}, "no column label; found image"),
        ("train.parquet", {"picture": [png()], "label": ["sad"]}, "no column image; found picture"),
        ("train.parquet", {"image": [{"bytes": None, "path": "x.png"}], "label": ["sad"]}, "have no bytes"),
        (
            "train-00000-of-00002.parquet",
            {"image": [png()], "label": ["sad"]},
            "one of 2 shards, of which only 1 are here",
        ),
        ("dev.parquet", {"image": [png()], "label": ["sad"]}, "no train split .* is here, with val"),
    ],
)
def test_shards_that_cannot_be_used(tmp_path, name, columns, message):
    write_table(tmp_path / name, columns)
    with pytest.raises(ValueError, match=message):
        load_samples("parquet", tmp_path, "train")


def test_what_the_datasets_library_saves_to_disk(tmp_path):
    """In shards, with names for the labels; an index of chosen rows is applied."""
    datasets = pytest.importorskip("datasets")
    images = [np.random.default_rng(i).integers(0, 256, (20, 20, 3), np.uint8) for i in range(6)]
    columns = {"image": [{"bytes": encode_image(image), "path": None} for image in images], "label": [0, 1, 2] * 2}
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["sad", "Happy", "tired"])}
    whole = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    parts = datasets.DatasetDict(train=whole.select([5, 0, 1, 2]), validation=whole.select([3]))
    parts.save_to_disk(tmp_path, num_shards={"train": 2, "validation": 1})
    train, val = (load_samples("parquet", tmp_path, split) for split in ("train", "val"))
    assert train.classes == val.classes == ("happiness", "sadness", "tired") and train.layout == "arrow"
    assert [train.classes[i] for i in train.targets.argmax(1)] == ["tired", "sadness", "happiness", "tired"]
    np.testing.assert_array_equal([train.read(i) for i in range(4)], [images[i] for i in (5, 0, 1, 2)])
    np.testing.assert_array_equal(val.read(0), images[3])
    with pytest.raises(ValueError, match="no test split"):
        load_samples("parquet", tmp_path, "test")
    (tmp_path / "train" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(ValueError, match="one of 2 shards, of which only 1 are here"):
        load_samples("parquet", tmp_path, "train")


def test_names_in_arrow_files(tmp_path):
    """Classes are those of all splits, as in Parquet files."""
    for split, labels in (("train", ["tired", "happy"]), ("val", ["calm"])):
        (tmp_path / split).mkdir()
        table = pyarrow.table({"image": [png()] * len(labels), "label": labels})
        with pyarrow.ipc.new_stream(tmp_path / split / "data-00000-of-00001.arrow", table.schema) as file:
            file.write_table(table)
    assert load_samples("parquet", tmp_path, "val").classes == ("happiness", "calm", "tired")
