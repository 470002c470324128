"""Training and validation images, before any work."""

from dataclasses import replace

import pytest

from fer.data import load_samples
from fer.io.images import write_image
from fer.training import splits as splits_module
from fer.training.loop import fit
from fer.training.splits import load_splits, steps_per_epoch
from runs import tiny_config


def test_validation_tells_images_that_are_in_training_apart(ferplus_tree, tmp_path):
    """Copies in validation are counted; --drop-duplicates takes them out of training instead."""
    write_image(
        ferplus_tree / "FER2013Valid" / "fer0000002.png", load_samples("ferplus", ferplus_tree, "train").read(2)
    )
    figures = fit(tiny_config(ferplus_tree, tmp_path / "a", epochs=1))
    assert (figures["n"], figures["n_without_duplicates"]) == (16, 15)
    splits = load_splits(tiny_config(ferplus_tree, tmp_path / "b", drop_duplicates=True))
    assert (len(splits.train), len(splits.val), splits.leaked.sum()) == (15, 16, 0)


def test_missing_images_are_reported_before_any_work(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Train" / "fer0000005.png").unlink()
    with pytest.raises(ValueError, match="1 of 16 image files are missing, e.g. .*fer0000005.png; fer check-data"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "steps"), [(16, 1, 1), (4, 2, 2), (5, 1, 3), (17, 1, None), (8, 3, None)]
)
def test_too_few_images_are_reported_before_any_work(ferplus_tree, tmp_path, batch_size, accumulate, steps):
    """Also before the template is measured, which takes a while."""
    config = tiny_config(ferplus_tree, tmp_path / "run", batch_size=batch_size, accumulate=accumulate)
    if steps:
        assert steps_per_epoch(config, len(load_splits(config).train)) == steps
        return
    with pytest.raises(
        ValueError, match=f"16 training images are fewer than one step needs .--batch-size {batch_size} x"
    ):
        load_splits(config)


def test_an_empty_split_is_reported(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Valid" / "label.csv").write_text('a.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,9,1\n')
    with pytest.raises(ValueError, match="the val split of ferplus holds no image"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))


def test_splits_with_different_classes_are_reported(ferplus_tree, tmp_path, monkeypatch):
    original = splits_module.load_samples

    def without_contempt(name, root, split, rule):
        samples = original(name, root, split, rule)
        return (
            samples
            if split == "train"
            else replace(samples, classes=samples.classes[:7], targets=samples.targets[:, :7])
        )

    monkeypatch.setattr(splits_module, "load_samples", without_contempt)
    with pytest.raises(ValueError, match="training has 8 classes .* validation 7"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))
