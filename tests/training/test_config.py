import argparse

import pytest
import yaml

from fer.training.config import RECIPES, TrainConfig, add_flags, config_from_arguments, load_recipe


def parse(*argv: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return config_from_arguments(parser.parse_args(argv))


def test_the_recipe_gives_defaults_and_flags_override(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("lr: 0.5\nepochs: 3\nfreeze: [backbone.stem:1]\namp: false\n")
    config = parse("--recipe", str(recipe), "--epochs", "7", "--freeze", "backbone:1", "classifier:2", "--amp")
    assert (config.lr, config.epochs, config.freeze, config.amp) == (0.5, 7, ["backbone:1", "classifier:2"], True)
    assert config.batch_size == TrainConfig().batch_size


def test_a_flag_may_repeat_a_default_over_the_recipe(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("epochs: 3\n")
    assert parse("--recipe", str(recipe), "--epochs", str(TrainConfig().epochs)).epochs == TrainConfig().epochs


def test_a_recipe_builds_on_its_base():
    paper, seven = load_recipe("rafdb"), load_recipe("affectnet7")
    assert (seven["dataset"], seven["gamma"], seven["balanced"]) == ("affectnet7", 0.6, True)  # own, of affectnet8
    assert (seven["backbone"], seven["input_size"]) == (paper["backbone"], paper["input_size"])  # of rafdb, two below
    assert "base" not in seven


@pytest.mark.parametrize(
    ("recipe", "epochs", "augmentation"),
    [
        ("rafdb", 40, "paper"),
        ("ferplus-paper", 40, "paper"),
        ("affectnet8", 10, "paper-affectnet"),
        ("affectnet7", 10, "paper-affectnet"),
    ],
)
def test_recipes_after_the_authors(recipe, epochs, augmentation):
    """In float32, as long as they train, with their augmentation."""
    config = TrainConfig(**load_recipe(recipe))
    assert (config.epochs, config.augmentation, config.amp) == (epochs, augmentation, False)


def test_a_base_may_lie_beside_the_recipe(tmp_path):
    """By its file or its name; a shipped recipe of that name goes first; a base is found from its own folder."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "lowest.yaml").write_text("epochs: 3\n")
    (tmp_path / "below" / "low.yaml").write_text("base: lowest\nlr: 0.5\n")
    (tmp_path / "mine.yaml").write_text("base: below/low.yaml\nseed: 4\n")
    assert load_recipe(str(tmp_path / "mine.yaml")) == {"epochs": 3, "lr": 0.5, "seed": 4}
    (tmp_path / "ferplus.yaml").write_text("base: ferplus\nseed: 4\n")
    assert load_recipe(str(tmp_path / "ferplus.yaml")) == load_recipe("ferplus") | {"seed": 4}


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ValueError, match="no recipe 'nothing'; known recipes: .*ferplus"):
        parse("--recipe", "nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate: 1\n", "unknown field learning_rate; known fields: .*lr"),  # misspelt
        ("- lr\n", "expected lines `field: value`, got a list"),
        ("lr: [1\n", "not valid YAML"),
        ("base: x.yaml\n", "in a circle: .*x.yaml -> .*x.yaml"),
        ("base: y\n", "in a circle: .*x.yaml -> .*y.yaml -> .*x.yaml"),
        ("base: [a]\n", r"base is the name of a recipe, not \['a'\]"),
        ("base: gone.yaml\n", "no recipe 'gone.yaml'"),
    ],
)
def test_a_recipe_that_is_none(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    (tmp_path / "y.yaml").write_text("base: x\n")
    with pytest.raises(ValueError, match=message):
        load_recipe(str(tmp_path / "x.yaml"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"batch_size": 1}, "--batch-size must be at least 2"),
        ({"freeze": ["backbone"]}, "--freeze takes MODULE:EPOCHS, e.g. backbone.stem:2, not 'backbone'"),
        ({"layer_decay": 0.0}, "--layer-decay must be above 0 and at most 1, not 0.0"),
        ({"gamma": 1.5}, "--gamma must be above 0"),
        ({"mean": [1.0, 2.0]}, "--mean and --std take one number or three"),
        ({"std": [0.0]}, "--std above 0"),
        ({"interpolation": "nearest"}, "--interpolation must be one of cubic, linear"),
        ({"distill": 1.5}, "--distill must be between 0 and 1, not 1.5"),
        ({"distill_temperature": 0.0}, "--distill-temperature must be above 0, not 0.0"),
        ({"attention": "none"}, "--attention must be one of paper, qkv"),
        ({"loss": ["gone:1"]}, r"--loss takes NAME:WEIGHT with a registered name \(none\), not 'gone:1'"),
        ({"accumulate": 0}, "--accumulate must be at least 1"),
        ({"seed": -1}, "--seed must be at least 0"),
        ({"outside": -1.0}, "--outside must be at least 0"),
        ({"lr": -0.1}, "--lr must be at least 0"),
        ({"template": ["left"] * 10}, "--template takes a list of float"),
        ({"template": [0.1, 0.2]}, "--template takes ten fractions"),
        ({"ema": 1.0}, "--ema must be at least 0 and below 1, not 1.0"),
        ({"lr": "fast"}, "--lr takes a float, not 'fast'"),
        ({"optimizer": "lion"}, "--optimizer must be one of adamw, sgd"),
        ({"label_smoothing": 1.0}, "--label-smoothing must be at least 0 and below 1, not 1.0"),
        ({"select": "loss"}, "--select must be one of accuracy, balanced_accuracy, macro_f1, last"),
        ({"select": "last", "patience": 1}, "--patience waits for a better epoch"),
        ({"patience": -1}, "--patience must be at least 0"),
        ({"balanced": True, "class_weights": True}, "--balanced and --class-weights"),
        ({"merge_val": True}, "--merge-val leaves no images to choose an epoch by: add --select last"),
        ({"merge_val": True, "select": "last", "fold": "1/5"}, "--merge-val leaves no images"),
        ({"person": "(.)"}, "--person divides the persons of --fold"),
        ({"shares": [0.5]}, r"--shares takes a number of at least 0 for each of several datasets, not \[0.5\]"),
        ({"dataset": "a,b", "shares": [1.0, -0.5]}, "--shares takes a number"),
        ({"dataset": "a,b", "shares": [0.0, 0.0]}, "--shares takes a number"),
    ],
)
def test_contradictions_are_rejected_with_the_name_of_the_flag(wrong, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**wrong)


def test_yaml_round_trip():
    config = TrainConfig(lr=1e-5, freeze=["backbone.stem:1"])
    assert TrainConfig(**yaml.safe_load(config.to_yaml())) == config


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_of_ours_is_valid(path):
    dataset = TrainConfig(**load_recipe(path.stem)).dataset
    assert dataset == {"finetune": "folder"}.get(path.stem, path.stem.split("-")[0])
