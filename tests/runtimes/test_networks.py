"""One network by several runtimes: the same answers, each with its own threads; errors of a missing runtime."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from fer.cli import main
from fer.device import has_bfloat16
from fer.resources import DEFAULT_WEIGHTS
from fer.runtimes.networks import choose_runtime, load_network

ROOT = Path(__file__).resolve().parents[2]
ONNX, CHECKPOINT = (ROOT / "weights" / f"{DEFAULT_WEIGHTS}{suffix}" for suffix in (".onnx", ".safetensors"))


@pytest.fixture(scope="module")
def va_files(va_checkpoint, va_graph) -> dict[str, Path]:
    """One that gives valence and arousal."""
    return {"torch": va_checkpoint, "openvino": va_graph, "onnxruntime": va_graph}


@pytest.fixture(scope="module")
def files(tiny_checkpoint, tiny_graph) -> dict[str, Path]:
    """The same network for each runtime."""
    return {"torch": tiny_checkpoint, "openvino": tiny_graph, "onnxruntime": tiny_graph}


def crops(n: int, description) -> np.ndarray:
    size = description.preprocessing.input_size
    return np.random.default_rng(n).integers(0, 255, (n, size, size, 1), np.uint8)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("of", ["files", "va_files"])
def test_runtimes_agree(request, of, runtime, parallel):
    files = request.getfixturevalue(of)
    (network, description), (reference, theirs) = (
        load_network(files[name], runtime=name, precision="float32") for name in (runtime, "torch")
    )
    assert (network.name, network.device, network.precision, description) == (runtime, "cpu", "float32", theirs)
    if parallel:
        network = network.for_threads(2)
        assert network.for_threads(2) is network.for_threads(2)  # compiled once
    for n in (1, 3):
        outputs = network(crops(n, description)), reference(crops(n, description))
        assert [output.va is None for output in outputs] == [of == "files"] * 2
        for found, expected in zip(*([part for part in output if part is not None] for output in outputs)):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
            assert found.dtype == np.float32


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
def test_threads_share_a_network_and_no_thread_count_changes(files, runtime):
    import cv2

    counts = torch.get_num_threads(), cv2.getNumThreads()
    network, description = load_network(files[runtime], runtime=runtime)
    network = network.for_threads(4)
    batches = [crops(n, description) for n in (1, 2, 3, 4)] * 5
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(network, batches))
    for batch, output in zip(batches, results):
        np.testing.assert_allclose(output.logits, network(batch).logits, atol=1e-4)
    assert counts == (torch.get_num_threads(), cv2.getNumThreads())


@pytest.mark.parametrize(
    ("weights", "device", "runtime", "chosen"),
    [
        (DEFAULT_WEIGHTS, "auto", "auto", "openvino"),
        (DEFAULT_WEIGHTS, "cpu", "auto", "openvino"),
        (DEFAULT_WEIGHTS, "cuda:1", "auto", "torch"),
        (DEFAULT_WEIGHTS, "mps", "auto", "torch"),
        (DEFAULT_WEIGHTS, "coreml", "auto", "onnxruntime"),
        (DEFAULT_WEIGHTS, "cpu", "torch", "torch"),
        ("x.onnx", "auto", "auto", "openvino"),
        ("x.onnx", "cuda", "auto", "onnxruntime"),
        ("x.onnx", "directml", "auto", "onnxruntime"),
        ("x.safetensors", "auto", "auto", "torch"),
    ],
)
def test_what_is_chosen(weights, device, runtime, chosen):
    assert choose_runtime(weights, device, runtime) == chosen


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ("nothing", {}, f"no weights 'nothing'; shipped: {DEFAULT_WEIGHTS}; or give the path of a .onnx or"),
        ("gone.onnx", {}, "gone.onnx: no such file"),
        (ONNX, {"runtime": "tensorrt"}, "unknown runtime 'tensorrt'; choose one of auto, openvino"),
        (ONNX, {"precision": "half"}, "unknown precision 'half'; choose one of auto, float32, bfloat16"),
        (ONNX, {"runtime": "torch"}, "PyTorch takes the .safetensors checkpoint"),
        (CHECKPOINT, {"runtime": "openvino"}, "openvino takes an ONNX file; write one: fer export "),
        (ONNX, {"device": "tpu", "runtime": "openvino"}, "OpenVINO runs on the CPU, not on 'tpu'"),
        (ONNX, {"device": "directml"}, "ONNX Runtime has no device 'directml' here; choose one of .*cpu"),
        (ONNX, {"runtime": "onnxruntime", "precision": "bfloat16"}, "ONNX Runtime computes in float32 here"),
        (CHECKPOINT, {"device": "tpu"}, "device 'tpu' is not available; choose one of auto"),
    ],
)
def test_mistakes(weights, options, message):
    with pytest.raises(ValueError, match=message):
        load_network(weights, **options)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_bfloat16_where_the_cpu_has_it(runtime):
    if has_bfloat16("cpu"):
        assert load_network(DEFAULT_WEIGHTS, "cpu", runtime, "bfloat16")[0].precision == "bfloat16"
        return
    assert load_network(DEFAULT_WEIGHTS, "cpu", runtime)[0].precision == "float32"
    with pytest.raises(ValueError, match="does not compute with bfloat16; take float32"):
        load_network(DEFAULT_WEIGHTS, "cpu", runtime, "bfloat16")


def test_a_runtime_that_is_not_installed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # importing it fails
    with pytest.raises(
        ModuleNotFoundError, match=r"onnxruntime is not installed; pip install 'dan-fer\[onnxruntime\]'"
    ):
        load_network(DEFAULT_WEIGHTS, runtime="onnxruntime")
    assert main(["predict", str(ROOT / "samples"), "--runtime", "onnxruntime"]) == 2
    message = "fer predict: needs the package onnxruntime: pip install 'dan-fer[onnxruntime]'"
    assert message in capsys.readouterr().err
