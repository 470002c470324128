"""ONNX Runtime Web for the engine in the browser: four files of its npm package, and two more for WebGPU."""

from __future__ import annotations

import tarfile
from pathlib import Path

from fer.hub import fetch

VERSION = "1.30.0"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
# A browser loads one of two builds. The plain one runs everywhere, with and without threads. The one with WebGPU needs
# JavaScript Promise Integration; the build that does without it is 10 MB larger, and half as fast on the processor.
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.jspi.min.mjs",
    "ort-wasm-simd-threaded.jspi.mjs",
    "ort-wasm-simd-threaded.jspi.wasm",
)


def load_runtime(source: str | None = None) -> dict[str, bytes]:
    """The files of ONNX Runtime Web, {name: content}.

    Args:
        source: the package (.tgz), or a folder that holds the files; None takes the package from the npm registry, or
            from the user's cache.

    Raises:
        ValueError: the package cannot be downloaded, or `source` does not hold the files.
        ModuleNotFoundError: pooch is not installed.
    """
    if source:
        path = Path(source)
    else:
        try:
            path = fetch(ADDRESS, SHA256, ADDRESS.rpartition("/")[2])
        except ValueError as error:
            raise ValueError(f"{error}; or name the package, or a folder of its files, with --runtime-files") from None
    try:
        if path.is_dir():
            return {name: (path / name).read_bytes() for name in FILES}
        with tarfile.open(path, "r:gz") as package:
            return {name: _read(package, f"package/dist/{name}") for name in FILES}
    except (OSError, KeyError, tarfile.TarError) as error:
        raise ValueError(f"{path}: not the npm package onnxruntime-web {VERSION}, nor its dist/ ({error})") from None


def _read(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read()
