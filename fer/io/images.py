"""Reading and writing image files. Inside the package an image is RGB uint8 [H,W,3]."""

from __future__ import annotations

import ctypes.util
import glob
import io
import logging
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

log = logging.getLogger("fer")

MAX_PIXELS = 150_000_000  # a larger header is taken for a decompression bomb
MAX_SIDE = 32_766  # OpenCV cuts no crop out of a wider image


# What people keep photos in. Pillow has many more decoders; one of them, for EPS, runs programs that the file holds.
READ_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "HEIF")

ImageSource = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray


class ImageError(ValueError):
    """An image that cannot be read; the message names it and says why."""


def read_image(source: ImageSource, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image file (a path, its bytes or a binary file), a PIL image or an array as RGB uint8 [H,W,3].

    Files are those of READ_FORMATS, whatever their names. EXIF orientation is applied; gray, palette, 10- to 16-bit,
    floating-point and CMYK images are converted; transparent pixels become white. Of an animated or multi-page file the
    first frame is read, and a warning logged. HEIC needs the package pillow-heif.

    Args:
        max_pixels: a header that tells of more is taken for a decompression bomb.

    Raises:
        ImageError: (a ValueError) the file is missing, no regular file, empty, of no format that is read, damaged or too
            large (max_pixels, MAX_SIDE); or the array is not uint8 [H,W], [H,W,1], [H,W,3] or [H,W,4].
    """
    return read_reduced(source, math.inf, max_pixels)[0]


def read_reduced(source: ImageSource, side: float, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, int]:
    """As `read_image`; but a JPEG file is decoded at half its size, several times as fast, where its longer side still has
    `side` pixels then.

    Returns:
        the image, and the factor by which it was reduced: 1 or 2.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source), 1
    name = str(source) if isinstance(source, (str, os.PathLike)) else "image"
    try:
        with open_image(source) as image:
            if image.width * image.height > max_pixels or max(image.size) > MAX_SIDE:
                raise ImageError(
                    f"{image.width}x{image.height} pixels, more than the limit of {max_pixels} in all and {MAX_SIDE} a side"
                )
            factor = 1 if isinstance(source, Image.Image) else _reduce(image, side)  # a caller's own stays as it is
            pixels = np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
            _tell_of_more(name, image)
            return pixels, factor
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except Image.DecompressionBombError:  # Pillow's own limit comes before ours
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise ImageError(f"{name}: more pixels than the limit of {limit}") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: {_why_missing(name)}") from None
    except Exception as error:  # decoders raise anything on damaged data
        raise ImageError(f"{name}: cannot be read ({error or type(error).__name__})") from None


def _reduce(image: Image.Image, side: float) -> int:
    """Let the decoder halve `image`, where it can and the longer side keeps `side` pixels -> the factor, 1 or 2."""
    w, h = image.size
    if max(w, h) >= 2 * side and min(w, h) > 1:
        image.draft(None, (w // 2, h // 2))
    return 1 if image.size == (w, h) else 2


@contextmanager
def open_image(source: str | os.PathLike | bytes | BinaryIO | Image.Image) -> Iterator[Image.Image]:
    """The PIL image of a source, of one of READ_FORMATS, for the time of a `with` block; only its header is read.

    Raises:
        ImageError: another format or kind of source; also what Pillow's decoders raise.
    """
    if isinstance(source, Image.Image):
        yield source
        return
    if isinstance(source, (str, os.PathLike)):
        mode = Path(source).stat().st_mode
        if not stat.S_ISREG(mode):
            raise ImageError(f"{'a folder' if stat.S_ISDIR(mode) else 'a device or pipe'}, no file")
        with open(source, "rb") as opened, _open_file(opened) as image:
            yield image
        return
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    if not hasattr(file, "read"):
        raise ImageError(f"expected a path, bytes, a binary file, a PIL image or an array; got {type(source).__name__}")
    with _open_file(file) as image:
        yield image


def _open_file(file: BinaryIO) -> Image.Image:
    file.seek(0)
    start = file.read(16)
    if not start:
        raise ImageError("the file is empty")
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc") and not _register_heif():
        raise ImageError("a HEIC image; the package pillow-heif reads them: pip install pillow-heif")
    _set_up_decoders()
    try:
        return Image.open(file, formats=[name for name in READ_FORMATS if name in Image.OPEN])
    except Image.UnidentifiedImageError:
        raise ImageError(_why_not(start)) from None


@cache
def _set_up_decoders() -> None:
    """Load Pillow's plugins; and let libtiff, which would print what it finds wrong, be silent where it can be reached."""
    Image.init()
    folder = Path(Image.__file__).parent
    bundled = [*folder.parent.glob("pillow.libs/libtiff*"), *folder.glob(".dylibs/libtiff*")]
    for library in bundled or filter(None, [ctypes.util.find_library("tiff")]):
        with suppress(OSError, AttributeError):
            tiff = ctypes.CDLL(str(library))
            tiff.TIFFSetErrorHandler(None)
            tiff.TIFFSetWarningHandler(None)


def _why_not(start: bytes) -> str:
    """What the first bytes of a file that no decoder of ours opened say of it."""
    kinds = [name for name, (_, accept) in Image.OPEN.items() if accept and accept(start) is True]
    if known := [name for name in kinds if name in READ_FORMATS]:
        return f"cannot be read (its {known[0]} header is damaged)"
    if kinds:
        return f"a file of the format {kinds[0]}, which is not read; expected {', '.join(READ_FORMATS)}"
    return "not an image file"


def _why_missing(name: str) -> str:
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", name):  # a path swallows the second slash of an address
        return "an address, and nothing is fetched; download it, and give the file or its bytes"
    return "no file matches this pattern" if glob.has_magic(name) else "no such file"


def _tell_of_more(name: str, image: Image.Image) -> None:
    """Warn of frames that are not looked at. Those of an MPO, a camera's photo, are previews of the same picture."""
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception:  # what comes after the first frame is damaged, in any way
        return
    if frames > 1 and image.format != "MPO":
        log.warning("%s: the first of its %d frames is taken; for all, make a video or images of it", name, frames)


@cache
def _register_heif() -> bool:
    """Let Pillow read HEIC, where pillow-heif is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ModuleNotFoundError:
        return False
    register_heif_opener()
    return True


def _from_array(array: np.ndarray) -> np.ndarray:
    """RGB as it is, without a copy."""
    shape = array.shape
    if array.dtype != np.uint8 or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))) or 0 in shape:
        raise ImageError(f"expected an RGB image, uint8 [H,W,3]; got {array.dtype} {list(shape)}")
    if len(shape) == 3 and shape[2] == 3:
        return array
    if len(shape) == 3 and shape[2] == 1:
        array = array[..., 0]
    return np.asarray(_to_rgb(Image.fromarray(array)))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        with np.errstate(invalid="ignore"):  # of a NaN
            return Image.fromarray(_to_8bit(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8bit(values: np.ndarray) -> np.ndarray:
    """Gray values of unknown depth: 0..1, or those of 8, 10, 12, 14 or 16 bits, whichever their maximum fits."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = next((limit for limit in (1, 255, 1023, 4095, 16383, 65535) if values.max() <= limit), values.max())
    return np.clip(values / top * 255, 0, 255).round().astype(np.uint8)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write RGB uint8 [H,W,3] in the format that the suffix of `path` names; its folder is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=92)


FORMATS = ("png", "webp", "jpeg")


def encode_image(image: np.ndarray, format: str = "png", quality: int = 0) -> bytes:
    """uint8 [H,W,3] or gray [H,W] -> the bytes of an image file; an RGB image without colour is stored gray.

    Args:
        format: one of FORMATS.
        quality: of webp and jpeg, 1 to 100; webp of quality 0 is lossless.
    """
    if image.ndim == 3 and (image == image[..., :1]).all():
        image = image[..., 0]
    options = {"png": {}, "webp": {"lossless": not quality, "quality": quality or 80}, "jpeg": {"quality": quality}}
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format, **options[format])
    return buffer.getvalue()
