"""fer pack and --dataset parquet: what goes in comes out, for us and for the `datasets` library."""

from pathlib import Path

import numpy as np
import pytest

from fer.data import load_samples
from fer.data.pack import PackOptions, pack_split
from fer.data.samples import Samples
from fer.io.atomic import write_atomically
from fer.io.images import encode_image, write_image
from trees import assert_same

CLASSES = ("neutral", "happiness", "anger")


def make_samples(n: int, side: int = 40, colour: bool = True, **fields) -> Samples:
    """Noise images with targets that are not one-hot."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (side, side, 3 if colour else 1), np.uint8) for _ in range(n)]
    targets = rng.dirichlet(np.ones(3), n).astype(np.float32).reshape(n, 3)
    names = [f"some folder/é {i}.png" for i in range(n)]
    return Samples(images, targets, names, CLASSES, "made up", "votes", **fields)


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


def test_a_share_of_the_images_is_aligned(tmp_path):
    """Drawn once: an interrupted call goes on with the same images."""
    samples = make_samples(1000, side=2)

    def changed(name: str, share: float) -> np.ndarray:
        pack_split(samples, tmp_path / name, "x", "val", PackOptions("png"), lambda c: 255 - c, align_share=share)
        packed = load_samples("parquet", tmp_path / name, "val")
        return np.array([np.array_equal(packed.read(i), 255 - samples.read(i)) for i in range(len(samples))])

    half = changed("half", 0.5)
    assert half.mean() == pytest.approx(0.5, abs=0.05) and np.array_equal(half, changed("again", 0.5))
    assert changed("all", 1.0).all()


def test_files_are_kept_byte_by_byte(tmp_path):
    write_image(tmp_path / "a.jpg", make_samples(1).read(0))
    samples = Samples([str(tmp_path / "a.jpg")], np.eye(3, dtype=np.float32)[:1], ["a"], CLASSES, "", "label")
    pack_split(samples, tmp_path / "out", "made-up", "train", PackOptions())
    assert load_samples("parquet", tmp_path / "out", "train").images[0] == (tmp_path / "a.jpg").read_bytes()


VA = np.array([[0.5, -1], [np.nan, np.nan], [np.nan, 0.25]], np.float32)  # NaN: unknown


@pytest.mark.parametrize("megabytes", [256, 1e-6])  # one shard; one for each image
def test_valence_and_arousal_are_packed(tmp_path, megabytes):
    samples = make_samples(3, va=VA)
    pack_split(samples, tmp_path, "made-up", "val", PackOptions(shard_megabytes=megabytes))
    loaded = load_samples("parquet", tmp_path, "val")
    assert_same(loaded, samples)
    np.testing.assert_array_equal(loaded.va, VA)
    np.testing.assert_array_equal(loaded.subset(np.array([2, 0])).va, VA[[2, 0]])


def test_shards_without_valence_and_arousal(tmp_path):
    pack_split(make_samples(3), tmp_path, "made-up", "val", PackOptions())
    assert load_samples("parquet", tmp_path, "val").va is None


def test_a_wrong_valence_in_a_shard_is_named(tmp_path):
    wrong = np.array([[0, 0], [0, 0], [0, -1.5]])
    pack_split(make_samples(3, va=wrong), tmp_path, "made-up", "val", PackOptions(shard_megabytes=1e-6))
    with pytest.raises(ValueError, match="val-00002-of-00003.parquet, row 0: arousal is -1.5; expected a number of"):
        load_samples("parquet", tmp_path, "val")


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
