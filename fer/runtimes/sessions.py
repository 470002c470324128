"""ONNX graphs, run by OpenVINO or by ONNX Runtime."""

from __future__ import annotations

import os
import sys
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from ..device import count_cores

# What ONNX Runtime calls the devices that it computes on.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
PRECISIONS = ("auto", "float32", "bfloat16")


class Session(Protocol):
    """A graph with one input that is ready to run; any number of threads may call it at the same time.

    It has threads of its own; those of other sessions, of OpenCV and of torch are left as they are.
    """

    outputs: list[str]
    precision: str

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The input -> the outputs by name."""


_CORE_LOCK = Lock()


def _openvino_core():
    with _CORE_LOCK:  # two threads would make two
        return _make_openvino_core()


@cache
def _make_openvino_core():
    """The only core of OpenVINO in this process, without telemetry.

    There must not be a second one, and this one must stay. A core replaces the signal stack of the thread that makes it. When
    several cores are freed in the order in which they were made, the thread is left with a stack that no longer exists, and
    the next signal (Ctrl-C, the end of a child process) crashes the process. Seen in OpenVINO 2026.4.

    OpenVINO's telemetry looks up a host on import and writes an identifier of the user into ~/intel. It is a package of its
    own, whose import is blocked here. OpenVINO's converters send it, and take a fifth of a second to import; they are left out
    while OpenVINO is imported. It needs neither.
    """
    modules: dict[str, Any] = sys.modules  # None blocks an import
    modules.setdefault("openvino_telemetry", None)
    passed_over = modules.setdefault("openvino.tools.ovc", None) is None
    import openvino

    if passed_over:
        del modules["openvino.tools.ovc"]  # whoever needs the converters may import them
    return openvino.Core()


class OpenVinoSession:
    """A session on the CPU.

    Args:
        path: an ONNX file.
        shape: of the input, -1 where it varies; None takes what the file says.
        parallel: calls that run at the same time, each with one core; None runs one at a time with all cores.
        precision: one of PRECISIONS; auto is bfloat16 where the CPU computes with it, else float32.
        threads: cores for one call where `parallel` is None; None takes all.

    Raises:
        ValueError: the file cannot be read as a graph with one input of this shape; bfloat16, which the CPU lacks.
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
        self._idle: list[Any] = []  # requests that no thread uses

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
    """A session on a device of ONNX Runtime, in float32.

    Args:
        path: an ONNX file.
        device: one of PROVIDERS.
        parallel, threads: see `OpenVinoSession`.

    Raises:
        ValueError: the file cannot be read as a graph; the installed ONNX Runtime has no such device.
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
        except Exception as error:  # of classes that ONNX Runtime does not publish
            raise ValueError(f"{path}: not a graph that ONNX Runtime runs ({_last_line(error)})") from None
        if self._session.get_providers()[0] != provider:  # it goes on with the CPU where a library is missing
            raise ValueError(f"ONNX Runtime cannot use {device!r} here: {provider} does not start")
        self._input = self._session.get_inputs()[0].name
        self.outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self._session.run(None, {self._input: x})))


def _last_line(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")[:200]


@lru_cache(maxsize=8)
def open_session(path: Path, shape: tuple[int, ...] | None = None, parallel: int | None = None) -> OpenVinoSession:
    """The session of these arguments, see `OpenVinoSession`: compiled once (0.2 s for YuNet), and shared by all that ask."""
    return OpenVinoSession(path, shape, parallel)
