"""The engine in the browser finds what the recogniser in Python finds."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.engine import detector_file, engine_settings
from app.live import Camera, LiveView, give_hint
from fer.data import load_samples
from fer.faces.yunet import WEIGHTS, YuNet, to_input
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import read_image
from fer.results.rows import quality_columns
from fer.results.types import Face

SHARED = Path(__file__).resolve().parents[3] / "shared"
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")

OPEN = """async (base) => {
  const { openNetworks } = await import(`${base}browser/networks.js`);
  const { Engine } = await import(`${base}browser/engine.js`);
  const { detect, classify, settings } = await openNetworks(base, () => {});
  window.engine = new Engine(detect, classify, settings);
  window.toPixels = (data, width, height) => {
    const rgb = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), pixels = new ImageData(width, height);
    pixels.data.fill(255);
    for (let i = 0; i < width * height; i++) pixels.data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
    return pixels;
  };
}"""


@pytest.fixture(scope="module")
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(precision="float32")


@pytest.fixture(scope="module")
def page(static_site, chromium_page):
    """A page in which `engine` is the engine of this tab."""
    chromium_page.goto(static_site)
    chromium_page.evaluate(OPEN, static_site)
    return chromium_page


def to_arguments(image: np.ndarray) -> list:
    return [base64.b64encode(image.tobytes()).decode(), image.shape[1], image.shape[0]]


def find_in_tab(page, image: np.ndarray) -> list[dict]:
    return page.evaluate("(given) => engine.photo(toPixels(...given))", to_arguments(image))


def assert_alike(expected: list[Face], found: list[dict], of: object = "") -> int:
    """Everything but the label agrees; returns how many labels do."""
    assert len(found) == len(expected), of
    for face, other in zip(expected, found):
        np.testing.assert_allclose(other["box"], face.box, atol=1, err_msg=str(of))
        np.testing.assert_allclose(other["probs"], list(face.probs.values()), atol=0.01, err_msg=str(of))
        known = [np.nan if v is None else v for v in quality_columns(face.quality).values()]
        seen = [np.nan if v is None else v for v in other["quality"]]
        np.testing.assert_allclose(seen, known, atol=0.11, err_msg=str(of))
    return sum(face.label == other["label"] for face, other in zip(expected, found))


@pytest.mark.browser
@shared
@pytest.mark.slow
def test_faces_of_validation_images_are_the_same(page, recognizer):
    samples = load_samples("ferplus", SHARED / "data/ferplus", "val")
    same = total = 0
    for i in range(0, len(samples), len(samples) // 200):
        image = samples.read(i)
        expected = recognizer(image)
        same += assert_alike(expected, find_in_tab(page, image), samples.names[i])
        total += len(expected)
    assert total > 150 and same >= 0.995 * total


@pytest.mark.browser
def test_faces_of_photos_are_the_same(page, recognizer):
    photos = [p for p in sorted((SHARED / "photos").glob("*")) if p.suffix in (".jpg", ".png")]
    for photo in [*photos, *sorted(SAMPLES.glob("*.jpg"))]:
        image = read_image(photo)
        expected, found = recognizer(image), find_in_tab(page, image)
        assert assert_alike(expected, found, photo.name) == len(expected)
        assert [face.unsure for face in expected] == [face["unsure"] for face in found]


@pytest.mark.browser
def test_camera_gives_the_same_tracks_means_maps_and_hints(page, recognizer):
    """The frames of two samples, sharp and dark and blurred and small, then none."""
    view = LiveView(recognizer)
    camera = Camera(view.recognizer, interval=0)
    for i, image in enumerate(camera_frames()):
        attention, time = i % 3 == 0, i / 10
        faces = camera.look(image, time, attention)
        given = [*to_arguments(image), attention, time]
        answer = page.evaluate(
            "([data, w, h, attention, time]) => engine.look(toPixels(data, w, h), { attention, time })", given
        )
        assert answer["hint"] == give_hint(image, faces), i
        expected = [view._describe(face, attention) for face in faces]
        assert len(answer["faces"]) == len(expected)
        for face, found in zip(expected, answer["faces"]):
            assert found.keys() == face.keys()
            if i:  # ByteTrack numbers the faces of the very first frame at once, later ones when they are seen again
                assert found["track"] == face["track"]
            assert [found[name] for name in ("label", "unsure")] == [face[name] for name in ("label", "unsure")], i
            np.testing.assert_allclose(found["box"], face["box"], atol=1)
            np.testing.assert_allclose(found["probs"], face["probs"], atol=0.01)
            if "maps" in face:
                np.testing.assert_allclose(found["maps"], face["maps"], atol=0.05)
                np.testing.assert_allclose(found["crop"], face["crop"], rtol=0.01, atol=0.1)


@pytest.mark.browser
def test_another_mix_of_classes_gives_the_same(page, recognizer):
    image, even = read_image(SAMPLES / "grace_hopper.jpg"), EmotionRecognizer.from_pretrained(prior="even")
    before = page.evaluate("engine.settings.adjustment")
    assert before == list(engine_settings(recognizer)["adjustment"]) and any(before)  # the mix that the weights name
    page.evaluate("(adjustment) => (engine.settings.adjustment = adjustment)", engine_settings(even)["adjustment"])
    try:
        assert_alike(even(image), find_in_tab(page, image))
    finally:
        page.evaluate("(adjustment) => (engine.settings.adjustment = adjustment)", before)
    assert abs(even(image)[0].probs["neutral"] - recognizer(image)[0].probs["neutral"]) > 0.02


def camera_frames() -> list[np.ndarray]:
    frames = []
    for path in sorted(SAMPLES.glob("*.jpg")):
        image = read_image(path)
        image = cv2.resize(image, (480, round(480 * image.shape[0] / image.shape[1])), interpolation=cv2.INTER_AREA)
        dark = (0.15 * image).astype(np.uint8)
        small = cv2.copyMakeBorder(image[::4, ::4], 0, 300, 0, 300, cv2.BORDER_CONSTANT, value=(120, 120, 120))
        frames += [
            image,
            np.roll(image, 6, 1),
            cv2.GaussianBlur(image, (0, 0), 5),
            dark,
            small,
            np.full_like(image, 99),
        ]
    return frames


def test_settings_are_plain_values(recognizer):
    settings = json.loads(json.dumps(engine_settings(recognizer)))
    assert settings["props"]["classes"] == list(recognizer.classes)
    assert settings["template"] == [list(point) for point in recognizer.description.template]
    assert set(settings["trust"]["advice"]) == set(settings["trust"]["reasons"])


def test_detector_file_takes_pictures_of_any_size():
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # the outputs state sizes, too
    session = runtime.InferenceSession(detector_file(), options, providers=["CPUExecutionProvider"])
    image = read_image(SAMPLES / "astronaut.jpg")[:400]
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, {session.get_inputs()[0].name: to_input(image)})))
    expected = YuNet().session(to_input(image))
    for name in names:
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-2)


def test_another_detector_file_is_refused(tmp_path):
    (tmp_path / "other.onnx").write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(ValueError, match="320x320"):
        detector_file(tmp_path / "other.onnx")
