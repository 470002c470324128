import io
import os
import struct
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer.io import images
from fer.io.images import read_image, read_reduced, write_image

RED = np.zeros((4, 6, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


ramp16 = np.linspace(0, 65535, 24).astype(np.uint16).reshape(4, 6)
ramp8 = np.round(ramp16 / 65535 * 255).astype(np.uint8)
ramp10 = np.linspace(0, 1023, 24).astype(np.uint16).reshape(4, 6)
one_nan = ramp16.astype(np.float32) / 65535
one_nan[2, 3] = np.nan
ramp8_nan = np.where(np.isnan(one_nan), 0, ramp8)
transparent = Image.fromarray(np.dstack([RED, np.zeros((4, 6), np.uint8)]), "RGBA")


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        pytest.param(encode(Image.fromarray(RED), "PNG"), RED, 0, id="RGB"),
        pytest.param(encode(Image.fromarray(ramp8), "PNG"), np.dstack([ramp8] * 3), 0, id="gray"),
        pytest.param(encode(Image.fromarray(ramp16), "PNG"), np.dstack([ramp8] * 3), 1, id="16-bit PNG"),
        pytest.param(encode(Image.fromarray(ramp16), "TIFF"), np.dstack([ramp8] * 3), 1, id="16-bit TIFF"),
        pytest.param(
            encode(Image.fromarray(ramp16.astype(np.float32) / 65535), "TIFF"),
            np.dstack([ramp8] * 3),
            1,
            id="float TIFF 0..1",
        ),
        pytest.param(encode(Image.fromarray(ramp10), "PNG"), np.dstack([ramp8] * 3), 1, id="10 bits in a 16-bit PNG"),
        pytest.param(
            encode(Image.fromarray(one_nan), "TIFF"), np.dstack([ramp8_nan] * 3), 1, id="a NaN pixel is black"
        ),
        pytest.param(encode(Image.fromarray(RED).convert("CMYK"), "JPEG"), RED, 6, id="CMYK JPEG"),
        pytest.param(encode(Image.fromarray(RED).quantize(2), "PNG"), RED, 0, id="palette"),
        pytest.param(encode(transparent, "PNG"), np.full_like(RED, 255), 0, id="transparent becomes white"),
        pytest.param(encode(Image.fromarray(RED).convert("1"), "PNG"), None, 0, id="1-bit"),
        pytest.param(
            encode(Image.fromarray(RED), "GIF", save_all=True, append_images=[Image.new("RGB", (6, 4))]),
            RED,
            0,
            id="first frame",
        ),
    ],
)
def test_kinds_of_image(data, expected, tolerance):
    image = read_image(data)
    assert image.dtype == np.uint8
    assert image.shape == (4, 6, 3)
    if expected is not None:
        assert np.abs(image.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("error", [ZeroDivisionError, RuntimeError, KeyError, TypeError, struct.error, OSError])
def test_whatever_a_decoder_raises_is_told_of_the_file(tmp_path, monkeypatch, error):
    """Seen on damaged AVIF and TIFF files."""

    def fail(*_):
        raise error("inside")

    write_image(tmp_path / "x.png", RED)
    monkeypatch.setattr(images, "_to_rgb", fail)
    with pytest.raises(ValueError, match=r"x.png: cannot be read \('?inside"):
        read_image(tmp_path / "x.png")


def test_a_first_frame_is_read_although_the_others_are_damaged():
    """Of half a TIFF, whose frames Pillow fails to count."""
    frames = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 60), np.uint8)) for i in range(5)]
    data = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    half = data[: len(data) // 2]
    np.testing.assert_array_equal(read_image(half)[..., 0], frames[0])


FRAMES = [Image.fromarray(np.full((4, 6, 3), 60 * i, np.uint8)) for i in range(4)]


@pytest.mark.parametrize(
    ("kind", "frames", "told"),
    [
        ("GIF", FRAMES, "4 frames"),
        ("TIFF", FRAMES[:3], "3 frames"),  # pages
        ("WEBP", FRAMES[:2], "2 frames"),
        ("GIF", FRAMES[:1], ""),
        ("TIFF", FRAMES[:1], ""),
        ("MPO", FRAMES[:2], ""),  # a camera's photo with its preview
        ("JPEG", FRAMES[:1], ""),
    ],
)
def test_frames_that_are_not_looked_at_are_told(tmp_path, caplog, kind, frames, told):
    path = tmp_path / f"clip.{kind.lower()}"
    first, *others = frames
    first.save(path, kind, save_all=len(frames) > 1, **({"append_images": others} if others else {}))
    assert read_image(path).max() < 30  # the first is black
    assert len(caplog.messages) == bool(told)
    assert all(f"{path}: only the first of its {told} is read" in message for message in caplog.messages)


def test_exif_orientation_is_applied():
    picture = Image.fromarray(np.concatenate([RED, 255 - RED]))  # red above, cyan below, 8 rows
    image = read_image(encode(picture, "PNG", exif=exif_orientation(6)))  # the camera was turned: rotate by 270
    assert image.shape == (6, 8, 3)
    assert (image[:, -1] == RED[0, 0]).all()  # what was on top is right


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (RED, (4, 6, 3)),
        (RED[..., 0], (4, 6, 3)),  # gray
        (RED[..., :1], (4, 6, 3)),  # gray with a channel axis
        (np.dstack([RED, RED[..., :1]]), (4, 6, 3)),  # alpha
    ],
)
def test_arrays(array, shape):
    assert read_image(array).shape == shape


@pytest.mark.parametrize(
    "array", [RED.astype(float), np.zeros((4, 6, 2), np.uint8), np.zeros((0, 6, 3), np.uint8), RED[0, 0]]
)
def test_wrong_arrays(array):
    with pytest.raises(ValueError, match=r"expected an RGB image, uint8 \[H,W,3\]; got"):
        read_image(array)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am a text", "not an image"),
        (encode(Image.effect_noise((64, 64), 50), "PNG")[:-300], "cannot be read"),  # truncated
        (encode(Image.effect_noise((64, 64), 50), "JPEG")[:-900], "cannot be read"),
        (encode(Image.fromarray(RED), "PNG")[:20], "cannot be read"),  # not even a whole header
    ],
)
def test_broken_files_say_why(tmp_path, data, reason):
    path = tmp_path / "ünï cödé\n.jpg"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        read_image(path)


LOOPING_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n{} loop"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            LOOPING_EPS,
            "a file of the format EPS, which is not supported; expected JPEG",
        ),  # Pillow would run Ghostscript
        (encode(Image.fromarray(RED), "PCX"), "a file of the format PCX"),
        (encode(Image.new("F", (8, 8)), "SPIDER"), "not an image file"),  # no first bytes tell it
        (struct.pack(">27f", *[1e30] * 27) + bytes(200), "not an image file"),  # AttributeError in Pillow's SPIDER
    ],
)
def test_other_formats_are_not_opened(tmp_path, monkeypatch, data, reason):
    monkeypatch.setattr(subprocess, "check_call", lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(ValueError, match=f"x.jpg: {reason}"):
        read_image(tmp_path / "x.jpg")


@pytest.mark.parametrize("error", [AttributeError, MemoryError, RecursionError, subprocess.CalledProcessError(1, "gs")])
def test_no_exception_of_a_decoder_escapes(monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr(images, "_to_rgb", fail)
    with pytest.raises(images.ImageError, match="image: cannot be read"):
        read_image(encode(Image.fromarray(RED), "PNG"))


def test_a_large_file_that_is_no_image_is_not_read(tmp_path):
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.truncate(2**40)  # sparse: reading it would take a terabyte of memory
    with pytest.raises(ValueError, match="not an image file"):
        read_image(tmp_path / "huge.jpg")


def test_what_people_pass(tmp_path):
    turned = encode(Image.fromarray(np.concatenate([RED, 255 - RED])), "PNG", exif=exif_orientation(6))
    (tmp_path / "x.png").write_bytes(turned)
    expected = read_image(turned)
    with open(tmp_path / "x.png", "rb") as file:
        for source in (file, io.BytesIO(turned), Image.open(io.BytesIO(turned)), str(tmp_path / "x.png")):
            np.testing.assert_array_equal(read_image(source), expected)
    gray = Image.fromarray(ramp8)
    assert read_image(gray).shape == read_image(gray).shape == (4, 6, 3)  # it is not closed
    for source in ("https://example.org/face.jpg", Path("http://example.org/face.jpg")):
        with pytest.raises(ValueError, match="an address; nothing is downloaded here: download it"):
            read_image(source)
    with pytest.raises(ValueError, match="expected a path, bytes, .*; got list"):
        read_image([1, 2])


@pytest.mark.parametrize(
    ("size", "format", "side", "factor"),
    [
        ((400, 300), "JPEG", 200, 2),
        ((401, 301), "JPEG", 200, 2),  # an odd number of pixels
        ((300, 400), "JPEG", 201, 1),  # a half is too small
        ((4000, 300), "JPEG", 200, 2),  # never less than a half
        ((400, 1), "JPEG", 100, 1),  # nothing to halve
        ((400, 300), "PNG", 100, 1),  # only JPEG's decoder can
        ((400, 300), "JPEG", float("inf"), 1),
    ],
)
def test_large_jpeg_files_are_decoded_at_half_their_size(size, format, side, factor):
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    data = encode(picture, format)
    image, found = read_reduced(data, side)
    whole = read_image(data)
    assert found == factor and image.shape[:2] == tuple(-(-n // factor) for n in whole.shape[:2])
    reduced = cv2.resize(whole, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(int) - image).max() <= 3


def test_a_picture_that_the_caller_opened_stays_as_it_is():
    with Image.open(io.BytesIO(encode(Image.new("RGB", (400, 300)), "JPEG"))) as image:
        assert read_reduced(image, 100)[1] == 1
        assert image.size == (400, 300)


def test_a_halved_photo_is_turned_as_it_says():
    data = encode(Image.new("RGB", (400, 300)), "JPEG", exif=exif_orientation(6))
    assert read_reduced(data, 100)[0].shape == (200, 150, 3)


def test_a_missing_file():
    with pytest.raises(ValueError, match="no such file"):
        read_image("nowhere.png")


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ValueError, match="a folder, no file"):
        read_image(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(ValueError, match="a device or pipe, no file"):
        read_image(tmp_path / "x.jpg")


def test_heic_names_the_package_that_reads_it(monkeypatch):
    monkeypatch.setattr(images, "_register_heif", lambda: False)
    with pytest.raises(ValueError, match="a HEIC image; the package pillow-heif reads them"):
        read_image(b"\0\0\0\x18ftypheic" + bytes(40))


def test_heic_is_read_where_the_package_is_installed():
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 30, 30))).save(buffer)
    assert read_image(buffer.getvalue()).shape == (48, 64, 3)


def test_a_decompression_bomb_is_refused_by_its_header():
    with pytest.raises(ValueError, match="6x4 pixels, more than the limit of 20"):
        read_image(encode(Image.fromarray(RED), "PNG"), max_pixels=20)
    with pytest.raises(ValueError, match="40000x1 pixels, more than the limit"):  # OpenCV could not crop it
        read_image(encode(Image.new("L", (40000, 1)), "PNG"))


SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
SEVERAL = {"save_all": True}


@pytest.mark.parametrize(
    ("kind", "image", "options"),
    [
        ("JPEG", SMALL, {"exif": exif_orientation(6)}),
        ("JPEG", SMALL.convert("CMYK"), {"progressive": True}),
        ("MPO", SMALL, SEVERAL),
        ("PNG", SMALL.convert("RGBA"), SEVERAL),
        ("PNG", SMALL.quantize(16), {}),
        ("WEBP", SMALL, SEVERAL),
        ("WEBP", SMALL, {"lossless": True}),
        ("GIF", SMALL, SEVERAL),
        ("BMP", SMALL.convert("1"), {}),
        ("TIFF", SMALL, {"compression": "jpeg"}),
        ("TIFF", SMALL, {"compression": "tiff_lzw"} | SEVERAL),
        ("TIFF", SMALL.convert("F"), {}),
        ("AVIF", SMALL, {}),
        ("PPM", SMALL, {}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_damage_of_any_kind_is_an_image_or_an_error(kind, image, options, capfd):
    """Bytes changed, cut off, doubled and taken out at random places."""
    if kind == "AVIF":
        pytest.importorskip("PIL.AvifImagePlugin")
    others = {"append_images": [SMALL.rotate(90)]} if "save_all" in options else {}
    whole, rng = encode(image.copy(), kind, **options, **others), np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 5)):
            at = int(rng.integers(len(data))) if rng.random() < 0.5 else int(rng.integers(min(len(data), 200)))
            change = [bytes(rng.integers(0, 256, 4, np.uint8)), b"\xff\xff\xff\xff", b"", data[at : at + 16] * 2][
                rng.integers(4)
            ]
            data[at : at + rng.integers(8)] = change
            data = data[: at + 1] if rng.random() < 0.05 else data
        try:
            picture = read_image(bytes(data), max_pixels=10_000_000)
        except images.ImageError:
            continue
        assert picture.dtype == np.uint8 and picture.ndim == 3
    assert capfd.readouterr() == ("", "")  # libraries do not print what they find wrong
