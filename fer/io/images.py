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

MAX_PIXELS = 150_000_000  # larger images are refused as decompression bombs
MAX_SIDE = 32_766  # OpenCV cannot cut crops out of wider images


# The formats that people keep photos in. Pillow has many more decoders; the one for EPS runs programs from the file.
READ_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "HEIF")

ImageSource = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray


class ImageError(ValueError):
    """An image cannot be read; the message names it and says why."""


def read_image(source: ImageSource, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image as RGB uint8 [H,W,3].

    The format is one of READ_FORMATS, whatever the file's name. EXIF orientation is applied. Gray, palette, 10- to
    16-bit, floating-point and CMYK images are converted, and transparent pixels become white. Animated and multi-page
    files give their first frame, with a warning in the log. HEIC needs the package pillow-heif.

    Args:
        source: a path, the bytes of a file, a binary file, a PIL image, or an array.
        max_pixels: images with more pixels, by their header, are refused as decompression bombs.

    Raises:
        ImageError: (a ValueError) the file is missing, not a regular file, empty, of another format, damaged, or too
            large (`max_pixels`, MAX_SIDE); or the array is not uint8 [H,W], [H,W,1], [H,W,3] or [H,W,4].
    """
    return read_reduced(source, math.inf, max_pixels)[0]


def read_reduced(source: ImageSource, side: float, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, int]:
    """As `read_image`, but decode a JPEG file at half its size if its longer side still has `side` pixels then.

    Decoding at half size is several times as fast.

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
                    f"{image.width}x{image.height} pixels, more than the limit of {max_pixels} in all "
                    f"and {MAX_SIDE} a side"
                )
            factor = (
                1 if isinstance(source, Image.Image) else _reduce(image, side)
            )  # a PIL image of the caller is not changed
            pixels = np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
            _warn_of_more_frames(name, image)
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
    """Let the decoder halve the image if the longer side keeps `side` pixels; returns the factor, 1 or 2."""
    w, h = image.size
    if max(w, h) >= 2 * side and min(w, h) > 1:
        image.draft(None, (w // 2, h // 2))
    return 1 if image.size == (w, h) else 2


@contextmanager
def open_image(source: str | os.PathLike | bytes | BinaryIO | Image.Image) -> Iterator[Image.Image]:
    """Open a source, of one of READ_FORMATS, as a PIL image within a `with` block; only the header is read.

    Raises:
        ImageError: another format or kind of source. Pillow's decoders may raise other errors.
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
        raise ImageError(_describe_format(start)) from None


@cache
def _set_up_decoders() -> None:
    """Load Pillow's plugins, and keep libtiff from printing its warnings, if the library can be found."""
    Image.init()
    folder = Path(Image.__file__).parent
    bundled = [*folder.parent.glob("pillow.libs/libtiff*"), *folder.glob(".dylibs/libtiff*")]
    for library in bundled or filter(None, [ctypes.util.find_library("tiff")]):
        with suppress(OSError, AttributeError):
            tiff = ctypes.CDLL(str(library))
            tiff.TIFFSetErrorHandler(None)
            tiff.TIFFSetWarningHandler(None)


def _describe_format(start: bytes) -> str:
    """Why no decoder opened a file, by its first bytes."""
    kinds = [name for name, (_, accept) in Image.OPEN.items() if accept and accept(start) is True]
    if known := [name for name in kinds if name in READ_FORMATS]:
        return f"cannot be read (its {known[0]} header is damaged)"
    if kinds:
        return f"a file of the format {kinds[0]}, which is not supported; expected {', '.join(READ_FORMATS)}"
    return "not an image file"


def _why_missing(name: str) -> str:
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", name):  # in a path, the address has lost its second slash
        return "an address; nothing is downloaded here: download it, and give the file or its bytes"
    return "no file matches this pattern" if glob.has_magic(name) else "no such file"


def _warn_of_more_frames(name: str, image: Image.Image) -> None:
    """Warn of frames that are not read. The further frames of an MPO, a camera's photo, are previews of the first."""
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception:  # the file is damaged after its first frame
        return
    if frames > 1 and image.format != "MPO":
        log.warning(
            "%s: only the first of its %d frames is read; convert it to a video or to images for all of them",
            name,
            frames,
        )


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
    """An RGB array is returned without a copy."""
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
    """Scale gray values of unknown depth: 0 to 1, or 8, 10, 12, 14 or 16 bits, whichever just holds the maximum."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = next((limit for limit in (1, 255, 1023, 4095, 16383, 65535) if values.max() <= limit), values.max())
    return np.clip(values / top * 255, 0, 255).round().astype(np.uint8)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write RGB uint8 [H,W,3] in the format that the suffix of `path` names. Missing folders are created."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=92)


FORMATS = ("png", "webp", "jpeg")


def encode_image(image: np.ndarray, format: str = "png", quality: int = 0) -> bytes:
    """The bytes of an image file of uint8 [H,W,3] or gray [H,W]. An RGB image without colour is stored as gray.

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
