"""fer pack and --dataset parquet: what goes in comes out, for us and for the `datasets` library."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from conftest import make_ferplus

from fer.cli import main
from fer.data import load_samples
from fer.data.pack import PackOptions, pack_split
from fer.data.samples import Samples
from fer.io.atomic import write_atomically
from fer.io.images import encode_image, write_image

CLASSES = ("neutral", "happiness", "anger")


def make_samples(n: int, side: int = 40, colour: bool = True, **fields) -> Samples:
    """Noise images with targets that are not one-hot."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (side, side, 3 if colour else 1), np.uint8) for _ in range(n)]
    targets = rng.dirichlet(np.ones(3), n).astype(np.float32).reshape(n, 3)
    names = [f"some folder/é {i}.png" for i in range(n)]
    return Samples(images, targets, names, CLASSES, "made up", "votes", **fields)


def assert_same(packed: Samples, samples: Samples) -> None:
    assert packed.classes == samples.classes
    assert packed.names == samples.names
    assert packed.rule == samples.rule
    np.testing.assert_allclose(packed.targets, samples.targets, atol=1e-6)
    for i in range(len(samples)):
        np.testing.assert_array_equal(packed.read(i), samples.read(i))


@pytest.mark.parametrize(
    ("n", "colour", "options", "shards"),
    [
        (10, True, PackOptions(), 1),
        (10, False, PackOptions("png"), 1),  # gray
        (10, True, PackOptions("webp"), 1),  # lossless
        (600, False, PackOptions(shard_megabytes=0.2), 6),  # several shards, several chunks of encoding
        (3, True, PackOptions(shard_megabytes=1e-6), 3),  # an image larger than a shard has one of its own
    ],
)
def test_what_is_packed_is_loaded(tmp_path, n, colour, options, shards):
    samples = make_samples(n, colour=colour)
    packed = pack_split(samples, tmp_path, "made-up", "val", options)
    assert packed.rows == n and not packed.unreadable
    assert [p.name for p in packed.shards] == [f"val-{i:05d}-of-{shards:05d}.parquet" for i in range(shards)]
    assert max(p.stat().st_size for p in packed.shards) < 1.1e6 * options.shard_megabytes + 20_000
    assert_same(load_samples("parquet", tmp_path, "val"), samples)


@pytest.mark.parametrize("options", [PackOptions("jpeg", 95), PackOptions("webp", 95)])
def test_lossy_formats_stay_close(tmp_path, options):
    y, x = np.mgrid[:64, :64]
    image = np.stack([x * 3, y * 3, x + y], 2).astype(np.uint8)
    samples = Samples([image], np.eye(3, dtype=np.float32)[:1], ["a"], CLASSES, "", "label")
    pack_split(samples, tmp_path, "made-up", "train", options)
    loaded = load_samples("parquet", tmp_path, "train").read(0)
    assert 0 < np.abs(loaded.astype(int) - image).mean() < 4


def test_files_are_kept_byte_by_byte(tmp_path):
    write_image(tmp_path / "a.jpg", make_samples(1).read(0))
    samples = Samples([str(tmp_path / "a.jpg")], np.eye(3, dtype=np.float32)[:1], ["a"], CLASSES, "", "label")
    pack_split(samples, tmp_path / "out", "made-up", "train", PackOptions())
    assert load_samples("parquet", tmp_path / "out", "train").images[0] == (tmp_path / "a.jpg").read_bytes()


def test_photos_are_packed_as_crops(tmp_path):
    boxes = np.array([[4, 4, 24, 24]] * 2, float)
    samples = make_samples(2, boxes=boxes)
    pack_split(samples, tmp_path, "made-up", "train", PackOptions(size=32))
    loaded = load_samples("parquet", tmp_path, "train")
    assert loaded.boxes is None
    np.testing.assert_array_equal(loaded.read(1), samples.crop(1, np.empty((0, 2)), 32))


def test_the_datasets_library_reads_the_shards(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    samples = make_samples(30)
    pack_split(samples, tmp_path / "packed", "made-up", "train", PackOptions(shard_megabytes=0.05))
    files = str(tmp_path / "packed" / "train-*.parquet")
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded.features["label"].names == list(CLASSES)
    assert len(loaded) == 30
    np.testing.assert_array_equal(np.asarray(loaded[7]["image"]), samples.read(7))
    assert loaded[7]["label"] == samples.targets[7].argmax()
    assert [loaded[7][name] for name in CLASSES] == pytest.approx(samples.targets[7], abs=1e-6)
    assert loaded[7]["name"] == samples.names[7]


def test_an_interrupted_split_goes_on(tmp_path):
    samples = make_samples(900, side=16)
    calls = []

    def stop(rows):
        calls.append(rows)
        if sum(calls) > 600:
            raise KeyboardInterrupt

    options = PackOptions(shard_megabytes=0.1)
    with pytest.raises(KeyboardInterrupt):
        pack_split(samples, tmp_path, "made-up", "train", options, on_rows=stop)
    parts = sorted(tmp_path.iterdir())
    assert parts and all(p.suffix == ".part" for p in parts)  # nothing that looks whole
    with pytest.raises(ValueError, match="Looked for train"):
        load_samples("parquet", tmp_path, "train")
    before = parts[0].stat().st_mtime_ns
    done = []
    packed = pack_split(samples, tmp_path, "made-up", "train", options, on_rows=done.append)
    assert done[0] > 0 and sum(done) == 900
    assert packed.shards[0].stat().st_mtime_ns == before  # not written again
    assert_same(load_samples("parquet", tmp_path, "train"), samples)


def test_a_killed_write_leaves_no_half_shard(tmp_path):
    def die(path: Path):
        path.write_bytes(b"PAR1 half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "train-00000.part", die)
    assert not list(tmp_path.iterdir())


def test_other_settings_do_not_go_on(tmp_path):
    samples = make_samples(300, side=16)
    options = PackOptions(shard_megabytes=0.05)
    with pytest.raises(KeyboardInterrupt):
        pack_split(samples, tmp_path, "made-up", "train", options, on_rows=raise_interrupt_after(1))
    with pytest.raises(ValueError, match="other settings; remove it"):
        pack_split(samples, tmp_path, "made-up", "train", PackOptions("webp", shard_megabytes=0.05))


def raise_interrupt_after(calls: int):
    seen = []

    def on_rows(rows):
        seen.append(rows)
        if len(seen) > calls:
            raise KeyboardInterrupt

    return on_rows


def test_a_split_that_is_there_is_not_written_over(tmp_path):
    pack_split(make_samples(2), tmp_path, "made-up", "train", PackOptions())
    with pytest.raises(ValueError, match="already exists"):
        pack_split(make_samples(2), tmp_path, "made-up", "train", PackOptions())


def test_what_cannot_be_read_is_left_out_and_reported(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    sources = [encode_image(make_samples(1).read(0)), str(tmp_path / "text.jpg"), str(tmp_path / "gone.jpg")]
    samples = Samples(sources, np.eye(3, dtype=np.float32), ["a", "b", "c"], CLASSES, "", "label")
    packed = pack_split(samples, tmp_path / "out", "made-up", "train", PackOptions())
    assert packed.rows == 1
    assert [line.split(":")[0] for line in packed.unreadable] == ["b", "c"]
    assert load_samples("parquet", tmp_path / "out", "train").names == ["a"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "gif"}, "unknown format 'gif'"),
        ({"format": "jpeg"}, "needs a --quality"),
        ({"quality": 101}, "--quality is 0 to 100"),
        ({"shard_megabytes": 0}, "--shard-megabytes above 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        PackOptions(**options)


def png() -> bytes:
    return encode_image(make_samples(1).read(0))


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


def test_the_command(tmp_path, capsys):
    tree = make_ferplus(tmp_path / "tree", {"FER2013Train": 24, "FER2013Valid": 16})
    (tree / "FER2013Valid" / "fer0000003.png").write_bytes(b"")
    assert main(["pack", "ferplus", str(tree), str(tmp_path / "packed")]) == 1  # one image could not be read
    told = capsys.readouterr().out
    assert "train: 24 images in 1 shards" in told and "val: 15 images in 1 shards" in told
    assert "left out: fer0000003.png" in told and "the file is empty" in told
    train, original = load_samples("parquet", tmp_path / "packed", "train"), load_samples("ferplus", tree, "train")
    assert_same(train, original)
    assert (train.rule, load_samples("parquet", tmp_path / "packed", "val").rule) == ("probability", "majority")


def test_aligned_crops(tmp_path, shared, capsys):
    """Every face that the detector finds lies at the template then; training takes the shards."""
    detector = ["--detector-weights", str(shared / "models" / "yunet_n_320_320.onnx")]
    source = pyarrow.parquet.read_table(shared / "data" / "ferplus" / "valid-00000-of-00001.parquet").slice(0, 40)
    (tmp_path / "few").mkdir()
    pyarrow.parquet.write_table(source, tmp_path / "few" / "valid-00000-of-00001.parquet")
    command = ["pack", "ferplus", str(tmp_path / "few"), str(tmp_path / "out"), "--align", *detector]
    assert main(command) == 2
    assert "--align needs the --recipe" in capsys.readouterr().err
    assert main([*command, "--recipe", "rafdb"]) == 2
    assert "--align: recipe rafdb has no template" in capsys.readouterr().err
    assert main([*command, "--recipe", "ferplus"]) == 0
    loose, aligned = load_samples("ferplus", tmp_path / "few", "val"), load_samples("parquet", tmp_path / "out", "val")
    assert aligned.names == loose.names
    changed = [not np.array_equal(aligned.read(i), loose.read(i)) for i in range(len(loose))]
    assert np.mean(changed) > 0.8
