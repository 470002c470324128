import io
import struct
import zipfile
import zlib

import pytest

from app import uploads
from app.uploads import Upload, claim, open_uploads, read_text
from page_inputs import archive


def bomb() -> bytes:
    """A PNG of a few bytes that claims 30,000 x 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


CASES = [
    # a plain file
    ({"a.jpg": b"abc"}, [("a.jpg", b"abc", "")]),
    # nothing
    ({}, []),
    # 0 bytes: the recogniser says what is wrong with them
    ({"empty.jpg": b""}, [("empty.jpg", b"", "")]),
    # an archive, also by another name; litter and folders are left out
    ({"a.zip": archive({"x/1.jpg": b"1", "2.jpg": b"2"})}, [("a.zip/x/1.jpg", b"1", ""), ("a.zip/2.jpg", b"2", "")]),
    ({"photos.bin": archive({"1.jpg": b"1", "__MACOSX/._1.jpg": b"", "f/": b""})}, [("photos.bin/1.jpg", b"1", "")]),
    # names that lead out of the folder are shown, and lead nowhere
    ({"a.zip": archive({"../../evil.jpg": b"1"})}, [("a.zip/../../evil.jpg", b"1", "")]),
    # an archive with nothing in it, one that is none, one that is cut off
    ({"a.zip": archive({})}, [("a.zip", b"", "an empty archive")]),
    ({"a.zip": b"no archive"}, [("a.zip", b"", "not a zip archive, or a damaged one")]),
    ({"a.zip": archive({"1.jpg": b"1" * 99})[:-30]}, [("a.zip", b"", "not a zip archive, or a damaged one")]),
    # an archive in an archive
    (
        {"a.zip": archive({"b.zip": archive({"1.jpg": b"1"}), "2.jpg": b"2"})},
        [("a.zip/b.zip", b"", "an archive inside an archive is not opened"), ("a.zip/2.jpg", b"2", "")],
    ),
]


@pytest.mark.parametrize(("files", "expected"), CASES)
def test_uploads_are_read_and_deleted(files, expected, upload, tmp_path):
    paths = [upload(name, data) for name, data in files.items()]
    assert [tuple(u) for u in open_uploads(paths, tmp_path)] == expected
    assert not any(path.exists() for path in paths)
    assert not list(tmp_path.rglob("evil*"))


# the way a file is packed, and a byte of it
DAMAGES = [(zipfile.ZIP_STORED, 40), (zipfile.ZIP_DEFLATED, 40), (zipfile.ZIP_BZIP2, 40), (zipfile.ZIP_LZMA, 44)]


@pytest.mark.parametrize(("method", "place"), DAMAGES)
def test_a_damaged_file_in_an_archive_does_not_lose_the_others(upload, tmp_path, method, place):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr("1.jpg", b"1" * 400)
        file.writestr("2.jpg", b"22")
    data = bytearray(packed.getvalue())
    data[place] ^= 0xFF
    first, second = open_uploads([upload("a.zip", bytes(data))], tmp_path)
    assert "damaged in the archive" in first.error and first.data == b""
    assert second == ("a.zip/2.jpg", b"22", "")


def test_what_unpacks_to_too_much_is_refused(upload, monkeypatch, tmp_path):
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    packed = archive({"bomb.bmp": b"\0" * 1001, "fits.bmp": b"\0" * 1000})
    assert len(packed) < 500
    found = list(open_uploads([upload("a.zip", packed), upload("large.bmp", b"\0" * 1001)], tmp_path))
    assert [(u.name, len(u.data), "more than" in u.error) for u in found] == [
        ("a.zip/bomb.bmp", 0, True),
        ("a.zip/fits.bmp", 1000, False),
        ("large.bmp", 0, True),
    ]


def test_more_files_than_the_limit(upload, tmp_path):
    path = upload("a.zip", archive({f"{i}.jpg": b"x" for i in range(5)}))
    *some, rest = open_uploads([path], tmp_path, limit=3)
    assert [u.name for u in some] == ["a.zip/0.jpg", "a.zip/1.jpg", "a.zip/2.jpg"]
    assert "only the first 3" in rest.error


def test_uploads_are_deleted_when_the_reader_stops_early(upload, tmp_path):
    paths = [upload("1.jpg", b"1"), upload("2.jpg", b"2")]
    reading = open_uploads(paths, tmp_path)
    next(reading)
    reading.close()
    assert not any(path.exists() for path in paths)


def test_the_same_upload_of_someone_else_is_left_alone(upload, tmp_path):
    path = upload("1.jpg", b"1")
    with claim([path], tmp_path) as (mine,):
        upload("1.jpg", b"1")
        assert mine.read_bytes() == b"1"
    assert path.exists() and not mine.exists()


def test_a_file_that_is_named_twice_is_read_twice(upload, tmp_path):
    path = upload("1.jpg", b"1")
    assert [u.data for u in open_uploads([path, path], tmp_path)] == [b"1", b"1"]
    assert not path.exists()


def test_folders_that_are_empty_go_with_the_upload(upload, tmp_path):
    path, other = upload("x/y/1.jpg", b"1"), upload("x/2.jpg", b"2")
    with claim([path], tmp_path):
        assert not path.parent.exists() and other.exists()
    with claim([other], tmp_path):
        assert tmp_path.exists() and not list(tmp_path.iterdir())


def test_an_archive_that_fails_in_an_unknown_way_does_not_lose_the_others(upload, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(uploads.zipfile.ZipFile, "infolist", lambda archive: 1 / 0)
    first, second = open_uploads([upload("a.zip", archive({"1.jpg": b"1"})), upload("2.jpg", b"2")], tmp_path)
    assert first.error == "cannot be opened (ZeroDivisionError)" and "could not be opened" in caplog.text
    assert second.data == b"2"


def test_an_upload_that_is_gone(tmp_path):
    (one,) = open_uploads([tmp_path / "gone.jpg"], tmp_path)
    assert one.name == "gone.jpg" and "did not arrive" in one.error


def test_a_path_elsewhere_is_neither_read_nor_deleted(upload, tmp_path):
    path = upload("mine.jpg", b"1")
    other = tmp_path / "other"
    other.mkdir()
    (other / "link.jpg").symlink_to(path)
    for named in (path, other / "../arrived/mine.jpg", other / "link.jpg"):
        (one,) = open_uploads([named], other)
        assert one.data == b"" and "did not arrive" in one.error
    assert path.exists()


def test_a_decompression_bomb_is_refused(upload, recognizer, tmp_path):
    from app.handlers import Handlers

    (row,) = Handlers(recognizer, tmp_path).rows([upload("bomb.png", bomb())])
    assert row["file"] == "bomb.png" and row["error"] == "more pixels than the limit of 60000000"


TEXTS = [
    # the bytes of a picture; base64 in lines
    ("data:image/png;base64,YWJj", b"abc", ""),
    ("YWJj", b"abc", ""),
    ("YW\nJj\n", b"abc", ""),
    # an upload, and its address
    ("{arrivals}/x/ä.png", "{arrivals}/x/ä.png", ""),
    ("http://elsewhere/gradio_api/file={arrivals}/x/%C3%A4.png", "{arrivals}/x/ä.png", ""),
    # what would have to be fetched, or lies on the computer of the client
    ("https://example.com/a.png", b"", "the page fetches nothing; send a data URL"),
    ("file:///etc/passwd", b"", "the page fetches nothing; send a data URL"),
    ("C:\\a.png", b"", "not a picture; send a data URL"),
    ("data:image/png,abc.", b"", ""),
    # nothing: the recogniser says what is wrong with it
    ("", b"", ""),
]


@pytest.mark.parametrize(("text", "expected", "error"), TEXTS)
def test_pictures_as_text(tmp_path, text, expected, error):
    found = read_text(text.format(arrivals=tmp_path), "picture 1", tmp_path)
    if isinstance(expected, str):
        assert found == expected.format(arrivals=tmp_path)
    else:
        assert isinstance(found, Upload) and found[:2] == ("picture 1", expected)
        assert error in found.error and bool(error) == bool(found.error)
