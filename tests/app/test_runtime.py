"""ONNX Runtime Web, from its npm package."""

from __future__ import annotations

import functools
import hashlib
import http.server
import tarfile
import threading
from pathlib import Path

import pytest

from app import runtime

pytest.importorskip("pooch", reason="downloads need pooch: pip install 'dan-fer[web]'")


@pytest.fixture
def package(runtime_folder, tmp_path) -> Path:
    path = tmp_path / "registry" / "package.tgz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        archive.add(runtime_folder, "package/dist")
    return path


def test_a_package_or_a_folder(package, runtime_folder):
    files = runtime.load_runtime(str(runtime_folder))
    assert files == runtime.load_runtime(str(package)) and set(files) == set(runtime.FILES)


@pytest.mark.parametrize("damage", ["missing", "empty", "no archive", "another package", "folder without files"])
def test_what_is_not_the_package(package, tmp_path, damage):
    source = {"missing": tmp_path / "none.tgz", "folder without files": tmp_path}.get(damage, package)
    if damage in ("empty", "no archive"):
        package.write_bytes(b"" if damage == "empty" else b"<html>")
    if damage == "another package":
        with tarfile.open(package, "w:gz") as archive:
            archive.add(__file__, "package/index.js")
    with pytest.raises(ValueError, match="not the npm package onnxruntime-web"):
        runtime.load_runtime(str(source))


def test_it_is_downloaded_once_and_checked(package, tmp_path, monkeypatch):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=package.parent)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "ADDRESS", f"http://127.0.0.1:{server.server_port}/package.tgz")
    try:
        with pytest.raises(ValueError, match=r"SHA-256 is .*--runtime-files"):
            runtime.load_runtime()
        monkeypatch.setattr(runtime, "SHA256", hashlib.sha256(package.read_bytes()).hexdigest())
        first = runtime.load_runtime()
    finally:
        server.shutdown()
        server.server_close()
    assert set(first) == set(runtime.FILES) and runtime.load_runtime() == first  # from the cache
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    with pytest.raises(ValueError, match=r"cannot be downloaded .*--runtime-files"):
        runtime.load_runtime()
