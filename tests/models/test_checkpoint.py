import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fer.cli import main
from fer.description import FORMAT_VERSION
from fer.labels import EMOTIONS
from fer.models.backbone import create_backbone, find_grid
from fer.models.checkpoint import (
    Description,
    load_checkpoint,
    load_matching,
    load_training_state,
    read_description,
    save_checkpoint,
)
from fer.models.dan import DAN
from fer.preprocessing import Preprocessing
from fer.resources import find_checkpoint


def test_a_checkpoint_rebuilds_alone(tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    again, _ = load_checkpoint(tiny_checkpoint)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(x).logits, again(x).logits)
    assert not model.training
    assert description.classes == EMOTIONS
    assert description.preprocessing == Preprocessing(input_size=32)
    assert description == read_description(tiny_checkpoint)
    assert description.grid == find_grid(model.backbone, 32) == [0.5 / 32, 16 / 32]


def test_half_precision_halves_the_file_and_loads_as_float32(tiny_checkpoint, tmp_path):
    model, description = load_checkpoint(tiny_checkpoint)
    save_checkpoint(tmp_path / "half.safetensors", model, description, half=True)
    half, _ = load_checkpoint(tmp_path / "half.safetensors")
    assert (tmp_path / "half.safetensors").stat().st_size < 0.52 * tiny_checkpoint.stat().st_size
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(half(x).features, model(x).features, rtol=0.02, atol=0.02)


def test_half_precision_refuses_what_it_cannot_hold(tiny_checkpoint, tmp_path):
    model, description = load_checkpoint(tiny_checkpoint)
    with torch.no_grad():
        model.classifier.weight[0, 0] = 1e6
    with pytest.raises(ValueError, match="classifier.weight does not fit into half precision"):
        save_checkpoint(tmp_path / "half.safetensors", model, description, half=True)


def test_the_metadata_is_readable_without_this_package(tiny_checkpoint):
    with safe_open(tiny_checkpoint, "pt") as file:
        metadata = json.loads(file.metadata()["fer"])
    assert metadata["backbone"] == "mobilefacenet"
    assert metadata["classes"] == list(EMOTIONS)


def test_what_is_no_checkpoint(tmp_path, tiny_checkpoint):
    bare, broken = tmp_path / "bare.safetensors", tmp_path / "broken.safetensors"
    save_file({"a": torch.zeros(1)}, bare)
    broken.write_bytes(tiny_checkpoint.read_bytes()[:1000])
    for path, message in [
        (bare, "without this package's description"),
        (broken, "not a readable safetensors file"),
        (tmp_path / "missing.safetensors", "no such file"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_checkpoint(path)


def test_weights_that_do_not_fit_their_description(tmp_path, tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    description.num_heads = 3
    save_checkpoint(tmp_path / "odd.safetensors", model, description)
    with pytest.raises(ValueError, match="the weights do not fit their description"):
        load_checkpoint(tmp_path / "odd.safetensors")


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:timm/resnet18.a1_in1k",
        "hf_hub:timm/resnet18.a1_in1k",
        "HF-HUB:timm/resnet18.a1_in1k",
        "local-dir:{tmp}",
        "timm/resnet18.a1_in1k",
        "https://example.org/resnet18",
        "resnet18.x/y:z",  # before its first dot it is one of timm's
        "../resnet18",
        "resnet1888",
        "",
    ],
)
def test_nothing_in_a_checkpoint_is_fetched(tmp_path, tiny_checkpoint, monkeypatch, name):
    asked = []

    def refuse(*arguments):
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    model, description = load_checkpoint(tiny_checkpoint)
    description.backbone = name.format(tmp=tmp_path)
    save_checkpoint(tmp_path / "a.safetensors", model, description)
    with pytest.raises(ValueError, match="a.safetensors: .*(unknown or unsuitable backbone|backbone: expected a name)"):
        load_checkpoint(tmp_path / "a.safetensors")
    assert not asked


def spoil(path: Path, out: Path, value: float) -> Path:
    """A copy of a checkpoint in which one weight is `value`."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    state = load_file(path)
    state["attention.reduce.1.running_var"][3] = value
    save_file(state, out, metadata)
    return out


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("half", [False, True])
def test_weights_that_are_not_finite(tmp_path, tiny_checkpoint, value, half):
    source = tiny_checkpoint
    if half:
        source = tmp_path / "half.safetensors"
        save_checkpoint(source, *load_checkpoint(tiny_checkpoint), half=True)
    path = spoil(source, tmp_path / "a.safetensors", value)
    message = f"{path}: the weight attention.reduce.1.running_var is not finite .*: the run diverged"
    with pytest.raises(ValueError, match=message):
        load_checkpoint(path)
    with pytest.raises(ValueError, match=message):
        load_matching(load_checkpoint(tiny_checkpoint)[0], path, EMOTIONS)
    with pytest.raises(ValueError, match=message):
        create_backbone("mobilefacenet", path)


@pytest.mark.parametrize("kind", ["not finite", "cut off", "other shapes", "no checkpoint"])
@pytest.mark.parametrize(
    "command",
    [
        "predict x.jpg --detector none --weights {bad}",
        "evaluate --dataset ferplus --data {data} --split val --out {out} --weights {bad}",
        "train --data {data} --out {out} {small} --init-weights {bad}",
        "train --data {data} --out {out} {small} --backbone-weights {bad}",
        "train --data {data} --out {out} {small} --teachers {bad}",
    ],
    ids=["predict", "evaluate", "initial", "backbone", "teachers"],
)
def test_every_way_to_bad_weights_is_one_line(tmp_path, tiny_checkpoint, ferplus_tree, capsys, kind, command):
    bad = tmp_path / "bad.safetensors"
    if kind == "not finite":
        spoil(tiny_checkpoint, bad, float("nan"))
    elif kind == "cut off":
        bad.write_bytes(tiny_checkpoint.read_bytes()[:-1000])
    elif kind == "other shapes":
        with safe_open(tiny_checkpoint, "pt") as file:
            save_file({f"backbone.{i}": torch.zeros(i, i) for i in range(9)}, bad, file.metadata())
    else:
        save_file({"conv_1_odd": torch.zeros(1)}, bad)
    small = "--epochs=1 --batch-size=8 --input-size=32 --num-heads=2 --workers=0 --device=cpu --no-amp"
    small += " --template 0.31 0.39 0.69 0.39 0.5 0.6 0.35 0.76 0.65 0.76"
    filled = [word.format(bad=bad, data=ferplus_tree, out=tmp_path / "out", small=small) for word in command.split()]
    assert main(" ".join(filled).split()) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fer ")]
    assert len(lines) == 1 and str(bad) in lines[0]


def test_a_newer_format_is_refused():
    description = Description("mobilefacenet", 4, EMOTIONS, Preprocessing(), [], format_version=99)
    with pytest.raises(ValueError, match="format 99 is newer"):
        Description.from_json(description.to_json())


def test_an_older_format_is_written_anew_as_todays():
    old = Description("mobilefacenet", 4, EMOTIONS, Preprocessing(), [], format_version=1)
    assert Description.from_json(old.to_json()).format_version == FORMAT_VERSION


def test_unknown_names_list_the_shipped_weights():
    with pytest.raises(ValueError, match="no weights 'nothing'; shipped: "):
        find_checkpoint("nothing")
    with pytest.raises(ValueError, match="no such file"):
        find_checkpoint("nothing.safetensors")


def test_training_state_is_not_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("executed",)

    torch.save({"a": Evil()}, tmp_path / "state.pt")
    with pytest.raises(Exception, match="weights_only|Unsupported"):
        load_training_state(tmp_path / "state.pt")


def test_parameter_count_is_under_ten_million():
    model = DAN(create_backbone("mobilefacenet"), 8, 4)
    assert sum(p.numel() for p in model.parameters()) < 10e6


@pytest.mark.parametrize(
    "classes",
    [
        EMOTIONS[::-1],  # all, in another order
        (*EMOTIONS[:7], "boredom"),  # as many, one of them new
        ("fear", "happiness", "neutral"),  # fewer
        ("boredom", *EMOTIONS, "interest"),  # more
        ("boredom", "interest"),  # none is shared
    ],
)
def test_classes_are_carried_over_by_their_names(tiny_checkpoint, classes):
    theirs = load_checkpoint(tiny_checkpoint)[0]
    with torch.no_grad():
        for i, tensor in enumerate(theirs.norm.state_dict().values()):
            if tensor.ndim:
                tensor.copy_(torch.arange(8) + 10 * i + 1)
    path = tiny_checkpoint.with_name("norm.safetensors")
    save_checkpoint(path, theirs, read_description(tiny_checkpoint))
    model = DAN(create_backbone("mobilefacenet"), len(classes), 2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kept, carried = load_matching(model, path, classes)
    assert carried == [name for name in classes if name in EMOTIONS]
    assert {name.split(".")[0] for name in kept} == (set() if carried else {"classifier", "norm"})
    state = theirs.state_dict()
    for name, tensor in model.state_dict().items():
        if not name.startswith(("classifier.", "norm.")):
            assert torch.equal(tensor, state[name])
        elif tensor.ndim:
            for i, emotion in enumerate(classes):
                same = state[name][EMOTIONS.index(emotion)] if emotion in carried else before[name][i]
                assert torch.equal(tensor[i], same), (name, emotion)


def test_the_head_of_valence_and_arousal_is_new_where_a_checkpoint_lacks_it(tiny_checkpoint, va_checkpoint):
    model = DAN(create_backbone("mobilefacenet"), 8, 2, va=True)
    kept, carried = load_matching(model, tiny_checkpoint, EMOTIONS)
    assert kept == sorted(f"va.{name}" for name in model.va.state_dict()) and carried == list(EMOTIONS)
    without = DAN(create_backbone("mobilefacenet-128"), 8, 2)  # and the other way round
    assert load_matching(without, va_checkpoint, EMOTIONS) == ([], list(EMOTIONS))


def test_a_checkpoint_with_valence_and_arousal_rebuilds_alone(va_checkpoint):
    model, description = load_checkpoint(va_checkpoint)
    assert description.va and model.va is not None
    assert torch.equal(model.va[0].weight, load_file(va_checkpoint)["va.0.weight"])
