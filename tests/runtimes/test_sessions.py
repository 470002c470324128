"""Sessions of OpenVINO and ONNX Runtime: cores, and the end of a program."""

import subprocess
import sys
from pathlib import Path

import pytest

from fer.device import count_cores
from fer.runtimes.networks import load_network

INTERRUPTED = """
import os, signal, sys
from fer.runtimes.networks import OnnxNetwork
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background starts programs that ignore it
first, second = OnnxNetwork(sys.argv[1]), OnnxNetwork(sys.argv[1])
del first
del second
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("interrupted")
"""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def files(tiny_checkpoint, tiny_graph) -> dict[str, Path]:
    """The same network for each runtime."""
    return {"torch": tiny_checkpoint, "openvino": tiny_graph, "onnxruntime": tiny_graph}


@pytest.mark.parametrize(
    ("threads", "parallel", "compiled"),
    [
        (None, None, count_cores()),  # one call takes the machine
        (1, None, 1),
        (1, 2, min(2, count_cores())),  # two calls at the same time, a core for each
    ],
)
def test_cores_of_one_call(files, threads, parallel, compiled):
    network, _ = load_network(files["openvino"], threads=threads)
    network = network.for_threads(parallel) if parallel else network
    assert network._session._compiled.get_property("INFERENCE_NUM_THREADS") == compiled
    network, _ = load_network(files["onnxruntime"], runtime="onnxruntime", threads=threads)
    network = network.for_threads(parallel) if parallel else network
    intra = network._session._session.get_session_options().intra_op_num_threads
    assert intra == (1 if parallel else compiled)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signal")
def test_an_interruption_after_networks_have_gone(files):
    """Each Core of OpenVINO has a stack for signals; a signal on one that is gone ends the process with a fault."""
    child = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, files["openvino"]], capture_output=True, text=True, cwd=ROOT, timeout=100
    )
    assert (child.returncode, child.stdout) == (0, "interrupted\n"), child.stderr
