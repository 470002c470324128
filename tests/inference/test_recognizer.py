import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import fer
from fake_detector import FakeDetector
from fer.faces import Detection, crop_face
from fer.faces.quality import measure_quality
from fer.inference.classifier import FaceClassifier
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import read_image, write_image
from fer.labels import EMOTIONS
from fer.models.checkpoint import load_checkpoint
from fer.models.inputs import to_input
from fer.runtimes.torch_network import TorchNetwork

rng = np.random.default_rng(0)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    model, description = load_checkpoint(tiny_checkpoint)
    return EmotionRecognizer(
        TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, FakeDetector(), batch_size=4
    )


def photo(faces: int) -> np.ndarray:
    image = rng.integers(0, 255, (60, 80, 3), np.uint8)
    image[0, 0] = faces
    return image


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_image(recognizer, count):
    faces = recognizer(photo(count))
    assert len(faces) == count
    for face in faces:
        assert list(face.probs) == list(EMOTIONS)
        assert sum(face.probs.values()) == pytest.approx(1, abs=1e-5)
        assert face.probs[face.label] == face.confidence == max(face.probs.values())
        assert bool(face.unsure) == (face.confidence < recognizer.description.unsure_below)
        assert not face.aligned


def test_the_network_sees_the_crop_by_the_one_rule(recognizer, tiny_checkpoint):
    """Recognition by hand: crop, preprocessing, network, temperature, softmax."""
    image = photo(1)
    (face,) = recognizer(image)
    model, description = load_checkpoint(tiny_checkpoint)
    crop = crop_face(image, FakeDetector()(image)[0], np.array(description.template), 48)
    with torch.no_grad():
        logits = model(to_input([crop], description.preprocessing)).logits
    expected = torch.softmax(logits / description.temperature, 1)[0]
    np.testing.assert_allclose(list(face.probs.values()), expected, atol=1e-4)


def test_an_explanation_shows_what_the_network_saw(tiny_checkpoint):
    """Its crop gives the probabilities of the face and its maps; its transform is that of the crop."""
    model, description = load_checkpoint(tiny_checkpoint)
    landmarks = 20 + 30 * np.array(description.template)

    def detector(image):
        return [Detection(np.array([20, 20, 50, 50.0]), landmarks, 0.9), *FakeDetector()(image)]

    detector.name, detector.max_side = "fake", float("inf")
    network = TorchNetwork(model.fold(), description.preprocessing, "cpu")
    recognizer = EmotionRecognizer(network, description, detector, batch_size=4)
    image = photo(2)
    explanations = recognizer.explain(image)
    assert [e.face for e in explanations] == recognizer(image)
    for e in explanations:
        logits, attention, *_ = network(e.crop[None])
        np.testing.assert_allclose(list(e.face.probs.values()), recognizer.classifier.to_probs(logits)[0], rtol=1e-4)
        np.testing.assert_allclose(e.attention, attention[0], rtol=1e-4)
    np.testing.assert_allclose(explanations[0].transform, [[1 / 30, 0, -20 / 30], [0, 1 / 30, -20 / 30]], atol=1e-9)
    np.testing.assert_allclose(explanations[2].transform, [[1 / 30, 0, -5 / 30], [0, 1 / 30, -5 / 30]], atol=1e-9)


def test_embeddings_are_what_the_classifier_sees(recognizer, tiny_checkpoint):
    """For each face in order: with the classifier of the checkpoint they give its probabilities."""
    model, description = load_checkpoint(tiny_checkpoint)
    image = photo(3)
    embeddings, faces = recognizer.embed(image), recognizer(image)
    assert embeddings.shape == (3, model.classifier.in_features) and embeddings.dtype == np.float32
    with torch.no_grad():
        logits = model.norm(model.classifier(torch.from_numpy(embeddings)))
    for face, expected in zip(faces, torch.softmax(logits / description.temperature, 1)):
        np.testing.assert_allclose(list(face.probs.values()), expected, atol=1e-3)
    assert recognizer.embed(photo(0)).size == 0 and "embedding" not in faces[0].to_dict()


def test_explanations_of_nothing(recognizer):
    assert recognizer.explain(photo(0)) == []
    with pytest.raises(ValueError, match="the file is empty"):
        recognizer.explain(b"")


def test_temperature_softens(tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    sharp = EmotionRecognizer(TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, FakeDetector())
    description.temperature = 4.0
    soft = EmotionRecognizer(TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, FakeDetector())
    crops = [photo(1)[..., 0]]
    a, b = sharp.predict_logits(crops), soft.predict_logits(crops)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(soft.predict_crops(crops), torch.softmax(torch.tensor(a / 4), 1), rtol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 4, 9])  # none, fewer than, as many as and more than a batch
def test_crops(recognizer, n):
    probs = recognizer.predict_crops([rng.integers(0, 255, (48, 48), np.uint8) for _ in range(n)])
    assert probs.shape == (n, 8)
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(48, 48, 3), (300, 300, 3), (60, 100, 3)])
def test_an_image_without_detection_is_a_crop(tiny_checkpoint, shape):
    recognizer = EmotionRecognizer.from_pretrained(tiny_checkpoint, detector="none", device="cpu")
    image = rng.integers(0, 255, shape, np.uint8)
    (face,) = recognizer(image)
    np.testing.assert_allclose(list(face.probs.values()), recognizer.predict_crops([image])[0], rtol=1e-5)
    assert not face.aligned


def test_the_quality_is_that_of_the_crop_that_the_network_gets(recognizer):
    image = photo(1)
    (face,), (detection,) = recognizer(image), FakeDetector()(image)
    crop = crop_face(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), detection, recognizer.classifier.template, 48)
    assert face.quality == measure_quality(crop, detection)


@pytest.mark.parametrize(("shape", "size"), [((300, 400, 3), 300), ((30, 20, 3), 20)])
def test_a_crop_of_any_size_is_measured_at_that_of_training(tiny_checkpoint, shape, size):
    recognizer = EmotionRecognizer.from_pretrained(tiny_checkpoint, detector="none", device="cpu")
    image = cv2.resize(read_image(ROOT / "samples" / "astronaut.jpg"), shape[1::-1], interpolation=cv2.INTER_AREA)
    (face,) = recognizer(image)
    assert face.quality.size == size and np.isnan(face.quality.yaw)
    assert (face.quality.sharpness > 1.6) == (size > 48)  # enlarged crops are blurred


LIMITED = [  # the fake face: 30 pixels, on noise, without landmarks
    ({}, "low confidence"),
    ({"size": 31, "brightness": 1}, "too small"),
    ({"size": 29, "brightness": 1}, "too dark"),
    ({"sharpness": 16, "yaw": 0}, "blurred"),
    ({"yaw": 0, "pitch": 0}, "low confidence"),
]


@pytest.mark.parametrize(("limits", "reason"), LIMITED)
def test_the_checkpoint_says_what_is_not_believed(recognizer, limits, reason):
    recognizer.description.limits, recognizer.description.unsure_below = limits, 1.0
    assert recognizer(photo(1))[0].unsure == reason


def test_faces_are_aligned_where_landmarks_and_a_template_exist(tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    landmarks = 20 + 30 * np.array(description.template)

    def detector(image):
        return [Detection(np.array([20, 20, 50, 50.0]), landmarks, 0.9)]

    detector.name, detector.max_side = "fake", float("inf")
    (face,) = EmotionRecognizer(TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, detector)(
        photo(0)
    )
    assert face.aligned
    description.template = []
    (face,) = EmotionRecognizer(TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, detector)(
        photo(0)
    )
    assert not face.aligned


def test_paths_keep_their_order_while_faces_share_batches(recognizer, tmp_path):
    counts = [1, 0, 3, 2, 5, 0, 1]
    paths = []
    for i, count in enumerate(counts):
        paths.append(tmp_path / f"{i}.png")
        write_image(paths[-1], photo(count))
    paths.insert(2, tmp_path / "text.jpg")
    paths[2].write_text("no image")
    paths.append(tmp_path / "gone.jpg")
    results = list(recognizer.predict_paths(paths))
    assert [r.path for r in results] == [str(p) for p in paths]
    assert [len(r.faces) for r in results] == [1, 0, 0, 3, 2, 5, 0, 1, 0]
    assert [r.error for r in results if r.error] == ["not an image file", "no such file"]
    for result in results:
        if result.faces:
            alone = recognizer(result.path)
            for a, b in zip(alone, result.faces):
                np.testing.assert_allclose(list(a.probs.values()), list(b.probs.values()), atol=1e-5)


def test_threads_may_share_a_recogniser(shipped):
    """Detectors of OpenCV keep state between calls; one that threads shared crashed Python."""
    whole = read_image(ROOT / "samples/astronaut.jpg")
    images = [whole, whole[:300, 100:400], np.ascontiguousarray(whole[:, ::-1]), whole[:200], whole[40:200, 150:300]]
    expected = [shipped(image) for image in images]
    order = np.random.default_rng(0).integers(0, len(images), 48)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: shipped(images[i]), order))
    assert [answer == expected[i] for answer, i in zip(answers, order)] == [True] * len(order)


def test_a_copy_may_have_another_detector(recognizer):
    other = copy.copy(recognizer)
    other.detector = FakeDetector(side=20)
    for _ in range(2):
        (a,), (b,) = recognizer(photo(1)), other(photo(1))
        assert (a.box[2] - a.box[0], b.box[2] - b.box[0]) == (30, 20)


def test_interleaved_generators_touch_no_thread_counts(recognizer):
    before = cv2.getNumThreads(), torch.get_num_threads()
    first, second = (recognizer.predict_paths([photo(1)] * 40, workers=2) for _ in range(2))
    next(first), next(second), first.close()
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before
    second.close()
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.predict_paths("photo.jpg"),
        lambda r: r.predict_paths(b"bytes of a file"),
        lambda r: r.predict_paths(photo(1)),
        lambda r: r.predict_paths([], workers=-1),
        lambda r: r.predict_crops(np.zeros((48, 48), np.uint8)),
        lambda r: r.predict_crops(np.zeros((48, 48, 3), np.uint8)),
        lambda r: r.predict_crops([np.zeros((48, 48))]),
        lambda r: r.predict_crops([np.zeros((48, 48, 4), np.uint8)]),
        lambda r: r.predict_crops(["crop.png"]),
        lambda r: r([1, 2]),
    ],
)
def test_wrong_inputs_are_refused_in_words(recognizer, call):
    with pytest.raises(ValueError, match="expected|must be|a crop is"):
        call(recognizer)


def test_an_array_of_crops_is_a_list_of_crops(recognizer):
    crops = rng.integers(0, 255, (3, 48, 48, 3), np.uint8)
    np.testing.assert_array_equal(recognizer.predict_crops(crops), recognizer.predict_crops(list(crops)))


def test_small_faces_can_be_left_out(tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    recognizer = EmotionRecognizer(
        TorchNetwork(model.fold(), description.preprocessing, "cpu"), description, FakeDetector(side=30), min_face=31
    )
    assert [len(recognizer(photo(n))) for n in (0, 1, 3)] == [0, 0, 2]


def test_results_name_their_detector_and_are_the_same_each_time(recognizer):
    image = photo(2)
    (result,), (again,) = recognizer.predict_paths([image]), recognizer.predict_paths([image])
    assert result == again and result.detector == "fake" and result.faces == recognizer(image)


def test_no_path_at_all(recognizer):
    assert list(recognizer.predict_paths([])) == []


def test_an_unreadable_image_raises(recognizer):
    with pytest.raises(ValueError, match="no such file"):
        recognizer("gone.jpg")


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "tpu"},
        {"batch_size": 0},
        {"max_pixels": 0},
        {"min_face": -1},
        {"detector": "mtcnn"},
        {"weights": "nothing"},
    ],
)
def test_wrong_arguments(tiny_checkpoint, wrong):
    with pytest.raises(ValueError):
        EmotionRecognizer.from_pretrained(**({"weights": tiny_checkpoint, "detector": "none"} | wrong))


def test_import_fer_is_light_and_offers_the_recognizer():
    assert fer.EmotionRecognizer is EmotionRecognizer
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        fer.Nothing  # noqa: B018


@pytest.fixture(scope="module")
def shipped() -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(device="cpu")


def test_the_shipped_weights_see_the_astronaut_smile(shipped):
    samples = ROOT / "samples"
    (face,) = shipped(samples / "astronaut.jpg")
    assert face.label == "happiness" and face.confidence > 0.5
    assert len(shipped(samples / "grace_hopper.jpg")) == 1


def test_the_shipped_weights_on_photos_with_landmarks(shared):
    recognizer = EmotionRecognizer.from_pretrained(device="cpu")
    friends = recognizer(shared / "photos/multi_face.jpg")
    assert len(friends) == 5 and all(f.aligned for f in friends)
    assert [f.label for f in friends].count("happiness") >= 4  # the fifth does not smile
    (man,) = recognizer(shared / "photos/Image_with_alpha.png")
    assert man.label == "happiness"


def test_orientation_does_not_matter_where_exif_tells_it(shipped, tmp_path):
    samples = ROOT / "samples"
    image = read_image(samples / "astronaut.jpg")
    exif = Image.Exif()
    exif[0x0112] = 8  # to be shown turned by 90 degrees counter-clockwise
    Image.fromarray(np.ascontiguousarray(np.rot90(image, -1))).save(tmp_path / "turned.png", exif=exif)
    (upright,), (turned,) = shipped(image), shipped(tmp_path / "turned.png")
    np.testing.assert_array_equal(upright.box, turned.box)
    assert upright.probs == pytest.approx(turned.probs, abs=1e-4)


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_change_nothing(recognizer, tmp_path, workers):
    """Same results in the same order, broken files among them."""
    paths = []
    for i in range(30):
        paths.append(tmp_path / f"{i}.png")
        if i % 7 == 3:
            paths[-1].write_bytes(b"no image")
        else:
            write_image(paths[-1], photo(i % 4))
    alone, together = (list(recognizer.predict_paths(paths, workers=n)) for n in (0, workers))
    assert [r.path for r in together] == [str(p) for p in paths]
    for one, other in zip(alone, together):
        assert one.error == other.error
        assert [f.probs for f in one.faces] == [f.probs for f in other.faces]
        np.testing.assert_array_equal([f.box for f in one.faces], [f.box for f in other.faces])


@pytest.mark.parametrize("workers", [0, 2])
def test_paths_are_read_as_they_are_needed(recognizer, workers):
    """An endless stream of photos: only a few are read ahead, and closing it ends the threads."""
    asked, before = [], set(threading.enumerate())  # other tests may have left threads

    def stream():
        while True:
            asked.append(1)
            yield photo(1)

    results = recognizer.predict_paths(stream(), workers=workers)
    for _ in range(10):
        next(results)
    assert len(asked) <= 10 + 4 * recognizer.classifier.batch_size
    results.close()
    count = len(asked)
    assert set(threading.enumerate()) <= before and len(asked) == count


def test_a_face_knows_where_the_heads_looked(recognizer, tiny_checkpoint):
    image = photo(2)
    faces = recognizer(image)
    model, description = load_checkpoint(tiny_checkpoint)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    crops = [recognizer.classifier.cut(gray, face)[0] for face in faces]
    with torch.inference_mode():
        expected = model(to_input(crops, description.preprocessing)).attention.numpy()
    for face, maps in zip(faces, expected):
        np.testing.assert_allclose(face.attention, maps, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("face", "margin", "factor"),
    [
        (512, 0, 1),  # a photo no larger than the picture that the detector sees
        (1500, 0, 2),
        (300, 1300, 1),  # a large one, whose face is too small to be cut out of the half
    ],
)
def test_large_photos_are_decoded_at_half_their_size(tmp_path, monkeypatch, face, margin, factor):
    """The same box and nearly the same probabilities as in the whole photo."""
    photo = cv2.resize(read_image(ROOT / "samples" / "astronaut.jpg"), (face, face), interpolation=cv2.INTER_CUBIC)
    photo = cv2.copyMakeBorder(photo, 0, margin, 0, margin, cv2.BORDER_CONSTANT)
    write_image(tmp_path / "photo.jpg", photo)
    recognizer, cut, sides = EmotionRecognizer.from_pretrained(), FaceClassifier.cut, []
    (expected,) = recognizer(read_image(tmp_path / "photo.jpg"))
    monkeypatch.setattr(FaceClassifier, "cut", lambda self, x, face: sides.append(len(x)) or cut(self, x, face))
    ((found,),) = (result.faces for result in recognizer.predict_paths([tmp_path / "photo.jpg"]))
    assert sides == [len(photo) // factor]
    np.testing.assert_allclose(found.box, expected.box, atol=3)
    assert found.quality.size == pytest.approx(min(found.box[2:] - found.box[:2]), rel=1e-4)  # of the whole photo
    assert found.quality.sharpness == pytest.approx(expected.quality.sharpness, rel=0.1)
    np.testing.assert_allclose(list(found.probs.values()), list(expected.probs.values()), atol=0.03)
