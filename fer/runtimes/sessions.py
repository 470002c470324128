"""Sessions that run ONNX graphs by OpenVINO or ONNX Runtime."""

from __future__ import annotations

import os
import sys
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from ..device import count_cores

# The execution providers of ONNX Runtime by our names of devices.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
PRECISIONS = ("auto", "float32", "bfloat16")


class Session(Protocol):
    """A compiled graph with one input. Any number of threads may call it at the same time.

    It has its own thread pool, and does not change the threads of other sessions, of OpenCV or of torch.
    """

    outputs: list[str]
    precision: str

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Run the graph on its input; returns the outputs by name."""


_CORE_LOCK = Lock()


def _openvino_core():
    with _CORE_LOCK:  # otherwise two threads could create two
        return _make_openvino_core()


@cache
def _make_openvino_core():
    """The only OpenVINO core of this process, without telemetry.

    There must be exactly one, and it must never be freed. Each core replaces the signal stack of
    the thread that creates it. If several cores are freed in the order of their creation, the
    thread keeps a stack that no longer exists, and the next signal (Ctrl-C, the end of a child
    process) crashes the process. Seen in OpenVINO 2026.4.

    OpenVINO's telemetry, a separate package, contacts a host on import and writes a user identifier
    into ~/intel. Its import is blocked. The model converters, which send telemetry and take 0.2 s
    to import, are skipped while OpenVINO is imported. Inference needs neither.
    """
    modules: dict[str, Any] = sys.modules  # None blocks an import
    modules.setdefault("openvino_telemetry", None)
    passed_over = modules.setdefault("openvino.tools.ovc", None) is None
    import openvino

    if passed_over:
        del modules["openvino.tools.ovc"]  # other code may import the converters
    return openvino.Core()


class OpenVinoSession:
    """A session of OpenVINO on the CPU.

    Args:
        path: an ONNX file.
        shape: of the input, -1 for dimensions that vary; None takes the shape in the file.
        parallel: number of calls that run at the same time, on one core each; None runs one call at
            a time, on all cores.
        precision: one of PRECISIONS; auto is bfloat16 if the CPU computes in it, otherwise float32.
        threads: number of cores for one call if `parallel` is None; None takes all.

    Raises:
        ValueError: the file is not a graph with one input of this shape, or the CPU does not compute in bfloat16.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        shape: tuple[int, ...] | None = None,
        parallel: int | None = None,
        precision: str = "float32",
        threads: int | None = None,
    ):
        core = _openvino_core()
        has_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16" and not has_bfloat16:
            raise ValueError("this CPU does not compute with bfloat16; take float32")
        self.precision = "bfloat16" if has_bfloat16 and precision != "float32" else "float32"
        options = {
            "INFERENCE_NUM_THREADS": parallel or threads or count_cores(),
            "NUM_STREAMS": parallel or 1,
            "INFERENCE_PRECISION_HINT": {"bfloat16": "bf16", "float32": "f32"}[self.precision],
        }
        try:
            graph = core.read_model(Path(path))
            if shape is not None:
                graph.reshape(list(shape))
            self.outputs = [output.any_name for output in graph.outputs]
            self._compiled = core.compile_model(graph, "CPU", options)
        except RuntimeError as error:
            raise ValueError(f"{path}: not a graph that OpenVINO runs ({_last_line(error)})") from None
        self._idle: list[Any] = []  # inference requests that no thread uses now

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            results = request.infer([x], share_inputs=True)
            return {name: np.array(value) for name, value in zip(self.outputs, results.values())}
        finally:
            self._idle.append(request)


class OnnxRuntimeSession:
    """A session of ONNX Runtime on one of its devices, in float32.

    Args:
        path: an ONNX file.
        device: one of PROVIDERS.
        parallel, threads: see `OpenVinoSession`.

    Raises:
        ValueError: the file is not a graph, or the installed ONNX Runtime does not support the device.
        ModuleNotFoundError: ONNX Runtime is not installed.
    """

    def __init__(
        self, path: str | os.PathLike, device: str = "cpu", parallel: int | None = None, threads: int | None = None
    ):
        import onnxruntime

        self.precision = "float32"
        provider = PROVIDERS.get(device)
        if provider not in (present := onnxruntime.get_available_providers()):
            names = ", ".join(name for name, p in PROVIDERS.items() if p in present)
            raise ValueError(f"ONNX Runtime has no device {device!r} here; choose one of {names}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if parallel else threads or count_cores()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(Path(path), options, [provider])
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise ValueError(f"{path}: not a graph that ONNX Runtime runs ({_last_line(error)})") from None
        if self._session.get_providers()[0] != provider:  # it falls back to the CPU if a library is missing
            raise ValueError(f"ONNX Runtime cannot use {device!r} here: {provider} does not start")
        self._input = self._session.get_inputs()[0].name
        self.outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self._session.run(None, {self._input: x})))


def _last_line(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")[:200]


@lru_cache(maxsize=8)
def open_session(path: Path, shape: tuple[int, ...] | None = None, parallel: int | None = None) -> OpenVinoSession:
    """A shared session, see `OpenVinoSession`: compiled once for the same arguments (0.2 s for YuNet)."""
    return OpenVinoSession(path, shape, parallel)
