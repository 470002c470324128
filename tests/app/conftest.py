"""A recogniser for the page, a place where uploads arrive, and the page itself."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.handlers import Handlers
from app.runtime import FILES
from fake_detector import FakeDetector
from fer.inference.recognizer import EmotionRecognizer
from fer.runtimes.networks import load_network
from static_host import StaticHost


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_network(tiny_checkpoint, "cpu"), FakeDetector(70))


@pytest.fixture
def va_recognizer(va_checkpoint) -> EmotionRecognizer:
    """One that also gives valence and arousal."""
    return EmotionRecognizer(*load_network(va_checkpoint, "cpu"), FakeDetector(70))


@pytest.fixture
def upload(tmp_path: Path):
    """Puts bytes where an upload would arrive."""

    def put(name: str, data: bytes) -> Path:
        path = tmp_path / "arrived" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return put


@pytest.fixture
def work(recognizer, tmp_path) -> Handlers:
    return Handlers(recognizer, tmp_path)


@pytest.fixture
def alive(recognizer, monkeypatch) -> list[int]:
    """How many pictures were decoded at the same time, noted whenever one is looked at."""
    pictures, counts, find = [], [], type(recognizer.detector).__call__

    def note(detector, image: np.ndarray):
        pictures.append(weakref.ref(image))
        counts.append(sum(reference() is not None for reference in pictures))
        time.sleep(0.01)  # others get their turn
        return find(detector, image)

    monkeypatch.setattr(type(recognizer.detector), "__call__", note)
    return counts


@pytest.fixture(scope="session")
def runtime_folder(tmp_path_factory) -> Path:
    """A folder of files named like those of ONNX Runtime Web."""
    folder = tmp_path_factory.mktemp("dist")
    for name in FILES:
        (folder / name).write_bytes(f"// {name}".encode())
    return folder


@pytest.fixture(scope="session")
def site_files() -> dict[str, bytes]:
    """The files of the page without a server, with ONNX Runtime Web, which is downloaded once."""
    from app.web import collect_files

    try:
        return collect_files(EmotionRecognizer.from_pretrained(device="cpu"))
    except (ValueError, ModuleNotFoundError) as error:
        pytest.skip(f"ONNX Runtime Web is not at hand: {error}")


@pytest.fixture(scope="module")
def static_site(site_files, tmp_path_factory) -> Iterator[str]:
    """The address of the page without a server, on a host that isolates it."""
    from app.web import HEADERS, write_folder

    host = StaticHost(tmp_path_factory.mktemp("host"), "live/", HEADERS)
    write_folder(site_files, host.folder)
    yield host.address
    host.stop()


@pytest.fixture(scope="module")
def chromium_page() -> Iterator:
    """An empty page in headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    from app.benchmark import CHROMIUM, FLAGS

    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page()
        browser.close()


@pytest.fixture
def launch(recognizer, tmp_path, monkeypatch):
    """Starts the page; -> its address. What arrives lies in tmp_path/uploads."""
    from app.page import build_page, launch_options  # which needs gradio

    (tmp_path / "uploads").mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    pages = []

    def start(**options) -> str:
        pages.append(build_page(recognizer))
        _, url, _ = pages[-1].launch(**launch_options(recognizer) | options, prevent_thread_lock=True, quiet=True)
        return url

    yield start
    for page in pages:
        page.close(verbose=False)
