"""What goes wrong with one file is a row, and the other files go on."""

import builtins

import av
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import fer.inference.files as files
from fer.faces import create_detector
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image, write_image
from fer.results.types import ImageResult
from fer.runtimes.networks import load_network

IMAGE = np.full((40, 40, 3), 90, np.uint8)


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_network(tiny_checkpoint, "cpu"), create_detector("none"), batch_size=2)


@pytest.fixture
def paths(tmp_path) -> list:
    """An image, a video of three frames, a table of one image, an image."""
    found = [tmp_path / name for name in ("a.png", "b.mp4", "c.parquet", "d.png")]
    write_image(found[0], IMAGE)
    with av.open(str(found[1]), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 40, 40, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(IMAGE, format="rgb24")))
        container.mux(stream.encode())
    pyarrow.parquet.write_table(pyarrow.table({"image": [encode_image(IMAGE)]}), found[2])
    write_image(found[3], IMAGE)
    return found


@pytest.mark.parametrize(
    ("missing", "errors"),
    [
        ("nothing", [""] * 6),
        ("av", ["", "reading videos needs PyAV: pip install 'dan-fer[video]'", "", ""]),
        ("supervision", ["", "tracking faces in videos needs supervision: pip install 'dan-fer[video]'", "", ""]),
        ("pyarrow", ["", "", "", "", "reading Parquet files needs pyarrow: pip install pyarrow", ""]),
    ],
)
def test_a_missing_package_fails_its_files_alone(recognizer, paths, monkeypatch, missing, errors):
    original = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert [r.error for r in files.predict_files(recognizer, paths)] == errors


@pytest.mark.parametrize("predict", ["predict_video", "predict_table"])
@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (av.error.InvalidDataError(1, "bad data", "x"), "cannot be read (InvalidDataError: "),
        (ValueError("{path}: too odd"), "too odd"),
        (OSError("gone"), "cannot be read (OSError: gone)"),
        (MemoryError("full"), "cannot be read (MemoryError: full)"),
        (RuntimeError("no"), "cannot be read (RuntimeError: no)"),
    ],
)
def test_any_error_is_a_row(recognizer, paths, monkeypatch, predict, before, error, message):
    def fail(recognizer, path, *_):
        yield from [ImageResult(str(path), [], frame=i) for i in range(before)]
        raise ValueError(f"{path}: too odd") if type(error) is ValueError else error

    monkeypatch.setattr(EmotionRecognizer if predict == "predict_video" else files, predict, fail)
    results = list(files.predict_files(recognizer, paths))
    assert {r.path for r in results} == {str(path) for path in paths}
    (failed,) = (r for r in results if r.error)
    assert failed.error.startswith(message) and failed.path.endswith(".mp4" if "video" in predict else ".parquet")
    assert len([r for r in results if r.path == failed.path]) == before + 1


def test_an_interruption_is_none(recognizer, paths, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(EmotionRecognizer, "predict_video", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(files.predict_files(recognizer, paths))
