"""The exported file computes what the checkpoint computes, says what it says, and needs no torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from fer.models.checkpoint import load_checkpoint, save_checkpoint
from fer.models.export import export_onnx
from fer.models.inputs import normalize
from fer.resources import DEFAULT_WEIGHTS, resource_folder
from fer.runtimes.networks import OnnxNetwork, load_network
from fer.runtimes.onnx_metadata import read_metadata

ROOT = Path(__file__).resolve().parents[2]


def crops_of(network, n: int) -> np.ndarray:
    preprocessing = network.description.preprocessing
    shape = (n, preprocessing.input_size, preprocessing.input_size, 1 if preprocessing.gray else 3)
    return np.random.default_rng(n).integers(0, 255, shape, np.uint8)


@pytest.mark.parametrize("kind", ["tiny", "va"])  # without and with valence and arousal
@pytest.mark.parametrize("n", [1, 2, 5])  # any number of crops
def test_outputs_are_those_of_the_checkpoint(request, kind, n):
    graph, checkpoint = (request.getfixturevalue(f"{kind}_{part}") for part in ("graph", "checkpoint"))
    network, model = OnnxNetwork(graph), load_checkpoint(checkpoint)[0]
    crops = crops_of(network, n)
    with torch.inference_mode():
        output = model(normalize(torch.from_numpy(crops), network.description.preprocessing))
    logits, attention, embedding, va = network(crops)
    np.testing.assert_allclose(logits, output.logits, atol=1e-4)
    np.testing.assert_allclose(attention, output.attention, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(embedding, output.embedding, atol=1e-3)
    assert (va is None) == (output.va is None) == (kind == "tiny")
    if va is not None:
        assert va.shape == (n, 2) and np.abs(va).max() < 1
        np.testing.assert_allclose(va, output.va, atol=1e-4)
    np.testing.assert_allclose(model.norm(model.classifier(torch.tensor(embedding))).detach(), logits, atol=1e-3)


def test_only_a_network_with_valence_and_arousal_has_a_fourth_output(tiny_graph, va_graph):
    outputs = [[output.name for output in onnx.load(path).graph.output] for path in (tiny_graph, va_graph)]
    assert outputs == [["logits", "attention", "embedding"], ["logits", "attention", "embedding", "va"]]


def test_it_says_what_the_checkpoint_says(tiny_graph, tiny_checkpoint):
    assert OnnxNetwork(tiny_graph).description == load_checkpoint(tiny_checkpoint)[1]
    theirs = {entry.key: entry.value for entry in onnx.load(tiny_graph).metadata_props}  # read by the package onnx
    assert read_metadata(tiny_graph) == theirs


def test_it_says_nothing_of_the_machine_that_made_it(tiny_graph):
    shipped = resource_folder("weights") / f"{DEFAULT_WEIGHTS}.onnx"
    for path in (tiny_graph, shipped):
        written = path.read_bytes()
        assert b"site-packages" not in written and b"fer/models" not in written and b".py" not in written


def test_it_has_the_limits_of_the_checkpoint(tiny_checkpoint, tmp_path):
    model, description = load_checkpoint(tiny_checkpoint)
    description.limits = {"size": 20, "yaw": 40.5}
    save_checkpoint(tmp_path / "a.safetensors", model, description)
    export_onnx(tmp_path / "a.safetensors", tmp_path / "a.onnx")
    assert OnnxNetwork(tmp_path / "a.onnx").description.limits == {"size": 20, "yaw": 40.5}


def test_the_shipped_file_is_the_shipped_checkpoint(shared):
    """Real faces: the same labels, and logits that differ by rounding only."""
    from fer.data import load_samples

    samples = load_samples("ferplus", shared / "data" / "ferplus", "val")
    (network, description), (reference, theirs) = (
        load_network(DEFAULT_WEIGHTS),
        load_network(DEFAULT_WEIGHTS, runtime="torch"),
    )
    assert network.name == "openvino" and description == theirs
    crops = np.stack([network.description.preprocessing.prepare(samples.read(i)) for i in range(200)])
    logits, expected = (
        np.concatenate([n(crops[i : i + 20])[0] for i in range(0, 200, 20)]) for n in (network, reference)
    )
    assert np.abs(logits - expected).max() < 1e-3
    np.testing.assert_array_equal(logits.argmax(1), expected.argmax(1))


def test_recognition_needs_no_torch():
    code = """
import sys
sys.modules["torch"] = None  # importing it fails
from fer import EmotionRecognizer
(face,) = EmotionRecognizer.from_pretrained()("samples/astronaut.jpg")
print(face.label, face.aligned)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "happiness True\n", run.stderr


def spoil(tiny_graph: Path, path: Path, **changes) -> Path:
    model = onnx.load(tiny_graph)
    if "metadata" in changes:
        model.metadata_props[0].value = changes["metadata"]
    if changes.get("anonymous"):
        del model.metadata_props[:]
    if changes.get("va"):
        model.metadata_props[0].value = model.metadata_props[0].value.replace('"va": false', '"va": true')
    if changes.get("nan"):
        weight = model.graph.initializer[0]
        weight.CopyFrom(
            onnx.numpy_helper.from_array(np.full_like(onnx.numpy_helper.to_array(weight), np.nan), weight.name)
        )
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"anonymous": True}, "without this package's description; expected one of `fer export`"),
        ({"metadata": "{}"}, "damaged description: "),
        ({"va": True}, "damaged: its description and its graph differ on valence and arousal"),
        ({"nan": True}, "damaged: a blank crop gives the logits"),
    ],
)
def test_damaged_files(tiny_graph, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_network(spoil(tiny_graph, tmp_path / "x.onnx", **changes))


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -100, -1])
def test_files_that_are_cut_off(tiny_graph, tmp_path, keep):
    (tmp_path / "x.onnx").write_bytes(tiny_graph.read_bytes()[:keep])
    with pytest.raises(ValueError, match="x.onnx: "):
        load_network(tmp_path / "x.onnx")


def test_weights_too_large_for_half_precision(tiny_checkpoint, tmp_path):
    model, description = load_checkpoint(tiny_checkpoint)
    with torch.no_grad():
        model.classifier.weight.mul_(1e9)
    save_checkpoint(tmp_path / "large.safetensors", model, description)
    with pytest.raises(ValueError, match="does not fit into half precision; export without --half"):
        export_onnx(tmp_path / "large.safetensors", tmp_path / "x.onnx", half=True)
    assert not (tmp_path / "x.onnx").exists()
