"""ONNX graphs, run on the CPU by OpenVINO."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np


def count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _import_openvino():
    """OpenVINO without its telemetry, which would look up a host on import and write an identifier of the user into ~/intel.

    The telemetry is a separate package. Its import is blocked here; everything else in OpenVINO works without it.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


class Session:
    """A graph with one input that is ready to run; any number of threads may call it at the same time.

    It has threads of its own; those of other sessions, of OpenCV and of torch are left as they are.

    Args:
        path: an ONNX file.
        shape: of the input, -1 where it varies; None takes what the file says.
        parallel: calls that run at the same time, each with one core; None runs one at a time with all cores.

    Raises:
        ValueError: the file cannot be read as a graph with one input of this shape.
    """

    def __init__(self, path: str | os.PathLike, shape: tuple[int, ...] | None = None, parallel: int | None = None):
        openvino = _import_openvino()
        core = openvino.Core()
        options = {
            "INFERENCE_NUM_THREADS": parallel or count_cores(),
            "NUM_STREAMS": parallel or 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            graph = core.read_model(Path(path))
            if shape is not None:
                graph.reshape(list(shape))
            self.outputs = [output.any_name for output in graph.outputs]
            self._compiled = core.compile_model(graph, "CPU", options)
        except RuntimeError as error:
            reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), "")
            raise ValueError(f"{path}: not a graph that OpenVINO runs ({reason.strip()[:200]})") from None
        self._idle = []  # requests that no thread uses

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The input -> the outputs by name."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            results = request.infer([x], share_inputs=True)
            return {name: np.array(value) for name, value in zip(self.outputs, results.values())}
        finally:
            self._idle.append(request)


@lru_cache(maxsize=8)
def open_session(path: Path, shape: tuple[int, ...] | None = None, parallel: int | None = None) -> Session:
    """The session of these arguments, see `Session`: compiled once (0.2 s for YuNet), and shared by all that ask for it."""
    return Session(path, shape, parallel)
