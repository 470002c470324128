"""Prepared crops in a temporary file."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from conftest import make_ferplus
from fer.data import Samples, load_samples
from fer.data.cache import CropCache
from fer.data.loader import CropDataset, UnreadableImage, make_loader
from fer.data.transforms import Augmentation
from fer.preprocessing import Preprocessing
from trees import CountedImages


@pytest.fixture
def samples(tmp_path) -> Samples:
    return load_samples("ferplus", make_ferplus(tmp_path, {"FER2013Train": 10}), "train")


@pytest.fixture
def temporary(monkeypatch):
    """The folder for temporary files; its name is short, since worker processes make sockets in it."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
        monkeypatch.undo()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("gray", [True, False])
def test_the_cache_reads_each_image_once(samples, tmp_path, temporary, gray, workers):
    images = CountedImages(samples.images, tmp_path / "reads")
    counted, number = replace(samples, images=images), len(samples)
    preprocessing = Preprocessing(input_size=32, gray=gray)
    dataset = CropDataset(counted, preprocessing, augment=Augmentation("faces"), cache=True)
    plain = CropDataset(samples, preprocessing, augment=Augmentation("faces"))
    loader, without = make_loader(dataset, 4, workers=workers), make_loader(plain, 4)
    for epoch in range(3):
        loader.sampler.epoch = without.sampler.epoch = epoch
        for (crops, targets), (expected, expected_targets) in zip(loader, without, strict=True):
            assert torch.equal(crops, expected) and torch.equal(targets, expected_targets)
        assert sorted(images.reads()) == list(range(number))  # also after more epochs

    del loader  # its workers end, and leave the folder to this process
    gc.collect()
    assert len(list(temporary.iterdir())) == 1
    assert torch.equal(dataset[0, 0][0], plain[0, 0][0]) and len(images.reads()) == number
    del dataset
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_writing_into_a_batch_leaves_the_cache_alone(samples, temporary):
    dataset = CropDataset(samples, Preprocessing(input_size=32), cache=True)
    for _ in range(3):  # prepared, then from the cache
        crop, _ = dataset[0, 0]
        assert torch.equal(crop, CropDataset(samples, Preprocessing(input_size=32))[0, 0][0])
        crop.zero_()


def test_an_unreadable_image_is_told_with_the_cache_too(samples, temporary):
    broken = replace(samples, images=["nowhere.png", *samples.images[1:]])
    dataset = CropDataset(broken, Preprocessing(input_size=32), cache=True)
    for _ in range(2):  # it does not count as prepared
        with pytest.raises(UnreadableImage, match="nowhere.png: no such file; fer check-data"):
            dataset[0, 0]


def test_no_room_for_the_cache(samples, temporary, monkeypatch):
    size = len(samples) * 32 * 32
    for free, fits in ((size - 1, False), (2 * size, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        if fits:
            assert CropDataset(samples, Preprocessing(input_size=32), cache=True).cache is not None
        else:
            with pytest.raises(
                ValueError, match=f"--cache needs 0.0 GB in {temporary}, where 0.0 GB are free; set TMPDIR"
            ):
                CropDataset(samples, Preprocessing(input_size=32), cache=True)
            assert list(temporary.iterdir()) == []


def test_another_run_cannot_count_on_its_room(temporary):
    """The file has no holes, and begins empty."""
    cache = CropCache((10, 64, 64, 1))
    assert cache.path.stat().st_blocks * 512 >= 10 * 64 * 64
    assert not cache.filled.any() and not cache.crops.any()


def test_a_full_disk_is_no_room(temporary, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ValueError, match="--cache needs 0.0 GB .* with --no-cache .*No space left"):
        CropCache((10, 64, 64, 1))
    assert list(temporary.iterdir()) == []


MAKE = """
import time
from fer.data.cache import CropCache
cache = CropCache((4, 32, 32, 1))
print(cache.path.parent, flush=True)
time.sleep(60)
"""


def test_what_killed_processes_left_is_removed(temporary):
    """The caches of living processes stay: another one's, and those of this one."""
    environment = os.environ | {"TMPDIR": str(temporary)}
    command = [sys.executable, "-c", MAKE]
    alive, killed = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2))
    try:
        living, left = (Path(process.stdout.readline().strip()) for process in (alive, killed))
        killed.kill()
        killed.wait()
        assert left.parent == temporary and left.is_dir()
        mine = CropCache((4, 32, 32, 1))
        assert not left.exists() and living.is_dir()
        also_mine = CropCache((4, 32, 32, 1))
        assert set(temporary.iterdir()) == {living, mine.path.parent, also_mine.path.parent}
    finally:
        alive.kill()
        killed.kill()
        alive.communicate(), killed.communicate()


def test_processes_of_a_machine_share_a_cache(temporary, monkeypatch):
    """The second makes no file, and finds what the first has prepared."""
    first = CropCache((4, 32, 32, 1))
    monkeypatch.setattr("fer.data.cache.is_first_on_machine", lambda: False)
    monkeypatch.setattr("fer.data.cache.from_first_on_machine", lambda path: path or first.path)
    second = CropCache((4, 32, 32, 1))
    crop = np.full((32, 32, 1), 7, np.uint8)
    np.testing.assert_array_equal(first.get(2, lambda i: crop), crop)
    np.testing.assert_array_equal(second.get(2, lambda i: pytest.fail("prepared twice")), crop)
    del second
    gc.collect()
    assert first.path.exists() and len(list(temporary.iterdir())) == 1
