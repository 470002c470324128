"""A checkpoint's metadata with every kind of mistake in it: one sentence that names the file and the field."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from fer.cli import main
from fer.description import FORMAT_VERSION
from fer.models.checkpoint import Description, load_checkpoint, read_description

LEFT_OUT = ...
DEEP = "[" * 100_000


def with_metadata(tiny_checkpoint, path, text: str):
    save_file({"a": torch.zeros(1)}, path, {"fer": text})
    return path


def changed(tiny_checkpoint, **values) -> str:
    metadata = json.loads(read_description(tiny_checkpoint).to_json()) | values
    return json.dumps({name: value for name, value in metadata.items() if value is not LEFT_OUT})


@pytest.mark.parametrize("text", ["", "no JSON", "{", DEEP, '{"a": 1'], ids=lambda text: text[:9] or "empty")
def test_not_json(tiny_checkpoint, tmp_path, text):
    path = with_metadata(tiny_checkpoint, tmp_path / "a.safetensors", text)
    with pytest.raises(ValueError, match=rf"{path}: damaged description: expected JSON, got "):
        read_description(path)


@pytest.mark.parametrize("text", ["3", "null", "[]", '"text"', "NaN"])
def test_not_an_object(tiny_checkpoint, tmp_path, text):
    path = with_metadata(tiny_checkpoint, tmp_path / "a.safetensors", text)
    with pytest.raises(ValueError, match=rf"{path}: damaged description: expected a JSON object, got "):
        read_description(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        # fields that are missing, or too many
        ({"backbone": LEFT_OUT}, "no field backbone"),
        ({"num_heads": LEFT_OUT, "template": LEFT_OUT}, "no field num_heads, template"),
        ({"fuzion": "sum"}, "unknown field 'fuzion'; expected backbone, num_heads, "),
        # the version comes first
        (
            {"format_version": LEFT_OUT, "backbone": 3},
            "format_version: expected a whole number of at least 1, got nothing",
        ),
        ({"format_version": "3"}, "format_version: expected a whole number of at least 1, got '3'"),
        ({"format_version": True}, "format_version: expected a whole number"),
        ({"format_version": 0}, "format_version: expected a whole number"),
        ({"format_version": FORMAT_VERSION + 1, "new": 1}, "format 8 is newer than this package reads"),
        # each field
        ({"backbone": 3}, "backbone: expected a name, got 3"),
        ({"backbone": ""}, "backbone: expected a name, got ''"),
        ({"num_heads": 0}, "num_heads: expected a whole number of 1 to 1000, got 0"),
        ({"num_heads": -1}, "num_heads: expected .*, got -1"),
        ({"num_heads": 10**12}, "num_heads: expected .*, got 10+"),
        ({"num_heads": 2.0}, "num_heads: expected .*, got 2.0"),
        ({"num_heads": True}, "num_heads: expected .*, got True"),
        ({"num_heads": None}, "num_heads: expected .*, got nothing"),
        ({"classes": []}, "classes: expected at least one name, got none"),
        ({"classes": "happiness"}, "classes: expected a list of different names, got 'happiness'"),
        ({"classes": ["a", 3]}, "classes: expected names, got 3"),
        ({"classes": ["a", "b", "a"]}, "classes: 'a' occurs twice"),
        ({"va": 1}, "va: expected true or false, got 1"),
        ({"classes": ["a", "arousal"]}, "classes: 'arousal' is the name of another column"),
        ({"classes": ["a", "label"]}, "classes: 'label' is the name of another column"),
        ({"classes": ["a", "b\n"]}, r"classes: expected names without blanks around them, got 'b\\n'"),
        ({"classes": ["a", "b\x1b[2Jc"]}, "classes: expected names without control characters"),
        ({"class_shares": [0.5]}, "class_shares: expected an object of numbers of 0 to 1"),
        ({"class_shares": {"happiness": 2}}, "class_shares: expected an object of numbers of 0 to 1"),
        ({"prior": "shares.json"}, "prior: expected trained, even or even:STRENGTH, 0 to 1, got 'shares.json'"),
        ({"prior": "even:1.5"}, "prior: expected trained, even or even:STRENGTH, 0 to 1, got 'even:1.5'"),
        ({"prior": "even", "class_shares": {}}, "prior: expected trained without class_shares, got 'even'"),
        ({"class_shares": {"joy": 1.0}}, "class_shares: expected a share of each class, got {'joy': 1.0}"),
        ({"template": [[0.5, 0.5]] * 4}, r"template: expected \[\] or five points"),
        ({"template": [[0.5]] * 5}, "template: expected"),
        ({"template": [0.5] * 10}, "template: expected"),
        ({"template": [[0.5, float("nan")]] * 5}, "template: expected"),
        ({"template": [[0.5, "0.5"]] * 5}, "template: expected"),
        ({"template": [[0.5, 1e9]] * 5}, "template: expected"),
        ({"template": None}, "template: expected .*, got nothing"),
        ({"second_crop": 1}, "second_crop: expected true or false, got 1"),
        ({"temperature": 0}, "temperature: expected a number of 0.001 to 1000, got 0"),
        ({"temperature": -1.0}, "temperature: expected .*, got -1.0"),
        ({"temperature": float("nan")}, "temperature: expected .*, got nan"),
        ({"temperature": float("inf")}, "temperature: expected .*, got inf"),
        ({"temperature": 10**400}, "temperature: expected .*, got 1000"),
        ({"temperature": "1"}, "temperature: expected .*, got '1'"),
        ({"temperature": True}, "temperature: expected .*, got True"),
        ({"unsure_below": 1.01}, "unsure_below: expected a number of 0 to 1, got 1.01"),
        ({"unsure_below": float("nan")}, "unsure_below: expected .*, got nan"),
        ({"limits": []}, r"limits: expected an object with any of size \(0 to 4096\), .*, got \[\]"),
        ({"limits": None}, "limits: expected .*, got nothing"),
        ({"limits": {"roll": 30}}, "limits: expected .*, got {'roll': 30}"),
        ({"limits": {"size": "20"}}, "limits: expected .*, got {'size': '20'}"),
        ({"limits": {"size": True}}, "limits: expected .*, got {'size': True}"),
        ({"limits": {"size": -1}}, "limits: expected .*, got {'size': -1}"),
        ({"limits": {"brightness": 1.01}}, "limits: expected .*, got {'brightness': 1.01}"),
        ({"limits": {"yaw": float("nan")}}, "limits: expected .*, got {'yaw': nan}"),
        ({"limits": {"pitch": 181}}, "limits: expected .*, got {'pitch': 181}"),
        ({"grid": [0.1]}, r"grid: expected \[\] or two numbers of -1 to 1, .*, got \[0.1\]"),
        ({"grid": [0.1, 0]}, r"grid: expected .*, got \[0.1, 0\]"),
        ({"grid": None}, "grid: expected .*, got nothing"),
        ({"attention": ""}, "attention: expected a name, got ''"),
        ({"attention": ["paper"]}, r"attention: expected a name, got \['paper'\]"),
        ({"fusion": None}, "fusion: expected one of paper, sum, got nothing"),
        ({"recipe": []}, r"recipe: expected an object, got \[\]"),
        ({"metrics": "good"}, "metrics: expected an object, got 'good'"),
        ({"licence": 1}, "licence: expected a text, got 1"),
        ({"dataset": None}, "dataset: expected a text, got nothing"),
        # inside preprocessing
        ({"preprocessing": [1]}, r"preprocessing: expected an object, got \[1\]"),
        ({"preprocessing": {"flip": True}}, "preprocessing: unknown field 'flip'; expected crop_size, "),
        ({"preprocessing": {"input_size": 10**9}}, "preprocessing: input_size must be a whole number of 16 to 4096"),
        ({"preprocessing": {"input_size": 15}}, "preprocessing: input_size must be"),
        ({"preprocessing": {"crop_size": "48"}}, "preprocessing: crop_size must be .*, not '48'"),
        ({"preprocessing": {"crop_size": 48.0}}, "preprocessing: crop_size must be .*, not 48.0"),
        ({"preprocessing": {"gray": "yes"}}, "preprocessing: gray must be true or false, not 'yes'"),
        ({"preprocessing": {"interpolation": []}}, "preprocessing: interpolation must be one of"),
        ({"preprocessing": {"mean": float("inf")}}, "preprocessing: mean must be a number of 0 to 255"),
        ({"preprocessing": {"mean": [1, 2, "3"]}}, "preprocessing: mean must be"),
        ({"preprocessing": {"mean": [[1], [2, 3]]}}, "preprocessing: mean must be"),
        ({"preprocessing": {"std": 1e-300}}, "preprocessing: std must be a number of 0.001"),
    ],
    ids=lambda v: str(v)[:40] if isinstance(v, dict) else "",
)
def test_a_field_that_is_wrong(tiny_checkpoint, tmp_path, values, message):
    path = with_metadata(tiny_checkpoint, tmp_path / "a.safetensors", changed(tiny_checkpoint, **values))
    with pytest.raises(ValueError, match=f"{path}: damaged description: {message}") as error:
        load_checkpoint(path)
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


def test_fields_with_a_default_may_be_missing(tiny_checkpoint):
    """As in the first format, which had neither fusion nor second_crop nor limits."""
    absent = dict.fromkeys(("fusion", "second_crop", "limits", "grid", "class_shares", "prior"), LEFT_OUT)
    old = Description.from_json(changed(tiny_checkpoint, **absent, format_version=1))
    assert (old.fusion, old.second_crop, old.limits, old.va) == ("paper", False, {}, False)
    assert old.format_version == FORMAT_VERSION


def test_limits_come_back(tiny_checkpoint):
    limits = {"size": 20, "brightness": 0.1, "sharpness": 0.5, "yaw": 40.5, "pitch": 180}
    for kept in (limits, {"yaw": 40.5}, {}):
        description = Description.from_json(changed(tiny_checkpoint, limits=kept))
        assert Description.from_json(description.to_json()).limits == kept


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"num_heads": 900}, "Error"),  # would take 7 GB
        ({"num_heads": 1}, "Error"),
        ({"attention": "qkv"}, "Error"),
        ({"classes": ["a"]}, "Error"),
        # names that may be registered in another program
        ({"attention": "vit"}, "unknown attention 'vit'; known: paper, qkv; register your own first"),
        ({"backbone": "vit!"}, "unknown or unsuitable backbone 'vit!'; expected .*; register your own first"),
    ],
)
def test_weights_that_do_not_fit(tiny_checkpoint, tmp_path, values, reason):
    path = tmp_path / "a.safetensors"
    save_file(load_file(tiny_checkpoint), path, {"fer": changed(tiny_checkpoint, **values)})
    with pytest.raises(ValueError, match=f"{path}: the weights do not fit their description: {reason}") as error:
        load_checkpoint(path)
    assert len(str(error.value)) < 700


def test_the_command_line_says_it_in_one_line(tiny_checkpoint, tmp_path, capsys):
    path = with_metadata(tiny_checkpoint, tmp_path / "a.safetensors", changed(tiny_checkpoint, temperature="hot"))
    assert main(["predict", "x.jpg", "--weights", str(path), "--detector", "none"]) == 2
    assert re.fullmatch(r"fer predict: .*temperature: expected .*, got 'hot'\n", capsys.readouterr().err)
