import csv
import html
import io
import threading
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet
import pytest

from app import handlers, views
from app.handlers import Handlers
from fer.runtimes.torch_network import TorchNetwork
from page_inputs import archive, film, linked, picture


def test_rows_have_the_names_of_the_uploads(work, upload):
    paths = [upload("ü a.png", picture(2)), upload("b.png", b"broken"), upload("c.zip", archive({"d.png": picture(0)}))]
    rows = work.rows(paths)
    assert [(row["file"], row["status"]) for row in rows] == [
        *[("ü a.png", "ok")] * 2,
        ("b.png", "error"),
        ("c.zip/d.png", "no_face"),
    ]
    assert rows[2]["error"] == "not an image file"
    assert not any(path.exists() for path in paths)


def test_a_photo_has_its_picture_a_card_for_each_face_and_attention(work, upload):
    html = work.show_photos([upload("<b>.png", picture(2)), upload("empty.png", b"")])
    assert html.count('class="card"') == 2
    assert html.count("attention of head 1") == 2
    assert "&lt;b&gt;.png" in html and "<b>" not in html
    assert "empty.png: the file is empty" in html


EVIL = '<img src=x onerror="window.caught=1">' + "![](http://elsewhere/x.png) | `${1}` {{1}}"


class Tags(HTMLParser):
    """The tags of HTML with their attributes, and its text."""

    def __init__(self, html: str):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def distrusted(recognizer, tmp_path) -> Handlers:
    """With a checkpoint that tells whatever it likes."""
    recognizer.description.classes = tuple(f"{EVIL}{i}" for i in range(8))
    return Handlers(recognizer, tmp_path)


SHOWN = [
    lambda work, upload: work.show_photos([upload("a.png", picture(2)), upload("b.png", b"")]),
    lambda work, upload: [*work.show_batch([upload("a.zip", archive({EVIL: picture(2), f"{EVIL}2": b"MZ"}))])][-1],
    lambda work, upload: [*work.show_batch([upload("a.zip", archive({EVIL: picture(0)}))])][-1],
    lambda work, upload: [*work.show_video(upload("a.mp4", film(4)))][-1],
    lambda work, upload: [*work.show_video(upload(f"{EVIL.replace('/', '')}.mp4", b""))][-1],
]


@pytest.mark.parametrize("show", SHOWN)
def test_names_are_shown_and_never_run(distrusted, upload, show):
    tags = Tags(show(distrusted, upload))
    assert "<img src=x" in tags.text
    for tag, attributes in tags.found:
        assert "onerror" not in attributes
        assert tag != "img" or attributes["src"].startswith("data:")


def test_about_takes_nothing_of_a_checkpoint_for_markdown(distrusted):
    card = distrusted.description
    card.dataset = card.backbone = card.licence = EVIL
    card.metrics = {
        **{"accuracy": 0.5, "n": 4, "dataset": EVIL, "split": EVIL, "rule": EVIL},
        "per_class": {EVIL: {"n": 1, "recall": 0.5, "precision": 0.5}},
    }
    text = distrusted.about()
    assert not [sign for sign in ("<", "![", "`", "$", "{", "elsewhere/") if sign in text]
    (row,) = (line for line in text.splitlines() if line.endswith("| 1 | 50% | 50% |"))
    assert row.count("|") == 5 and html.unescape(row).startswith(f"| {EVIL} ")


def test_the_batch_size_of_the_command_is_that_of_the_page(recognizer, upload, tmp_path, monkeypatch):
    recognizer.classifier.batch_size, sizes, see = 3, [], TorchNetwork.__call__
    monkeypatch.setattr(TorchNetwork, "__call__", lambda self, batch: sizes.append(len(batch)) or see(self, batch))
    Handlers(recognizer, tmp_path).rows([upload("a.png", picture(7))])
    assert sizes == [3, 3, 1]


def test_no_photo(work):
    assert work.show_photos([]) == ""


def test_a_photo_without_a_face_says_so(work, upload):
    assert "no face found" in work.show_photos([upload("a.png", picture(0))])


def test_a_batch_ends_with_a_gallery_and_files(work, upload):
    files = {f"{i}.png": picture(i % 3) for i in range(9)} | {"bad.png": b"MZ executable"}
    *_, html = work.show_batch([upload("all.zip", archive(files))])
    assert html.count("<figure") == 9 and "9 faces in 10 pictures" in html
    assert "all.zip/bad.png" in html and "not an image file" in html
    assert "No face found in 3" in html
    rows = list(csv.DictReader(io.StringIO(linked(html, ".csv").decode())))
    assert len(rows) == 9 + 3 + 1
    table = pyarrow.parquet.read_table(io.BytesIO(linked(html, ".parquet")))
    assert table["path"].to_pylist() == [row["path"] for row in rows]


def test_a_gallery_shows_no_more_than_it_should(work, upload, monkeypatch):
    monkeypatch.setattr(views, "SHOWN", 2)
    *_, html = work.show_batch([upload("all.zip", archive({f"{i}.png": picture(3) for i in range(4)}))])
    assert html.count("<figure") <= 2 * 8 and "the first 2 are shown" in html
    assert len(linked(html, ".csv").splitlines()) == 13


def test_a_batch_that_is_stopped_deletes_its_uploads(work, upload, monkeypatch):
    monkeypatch.setattr(handlers, "REPORT", 0)
    path = upload("all.zip", archive({f"{i}.png": picture(1) for i in range(40)}))
    working = work.show_batch([path])
    assert "pictures processed" in next(working)
    working.close()
    assert not path.exists()


def test_a_job_holds_one_decoded_picture_at_a_time(work, upload, alive):
    *_, html = work.show_batch([upload("all.zip", archive({f"{i}.png": picture(1) for i in range(12)}))])
    assert "12 faces in 12 pictures" in html and len(alive) == 12
    assert max(alive) == 1


def test_pictures_of_all_jobs_share_one_limit(recognizer, upload, tmp_path, monkeypatch, alive):
    monkeypatch.setattr(handlers, "HELD_PIXELS", 2 * 90 * 120)
    work, jobs = Handlers(recognizer, tmp_path), []
    for i in range(5):
        path = upload(f"{i}.zip", archive({f"{k}.png": picture(1) for k in range(4)}))
        jobs.append(threading.Thread(target=work.rows, args=([path],)))
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert len(alive) == 20 and max(alive) == 2


@pytest.mark.parametrize("failure", [AttributeError("x"), MemoryError(), RuntimeError("x"), ValueError("x")])
def test_whatever_an_upload_raises_the_others_are_answered(work, upload, monkeypatch, failure, caplog):
    def fail(detector, image):
        if image[0, 0, 0] == 2:
            raise failure
        return []

    monkeypatch.setattr(type(work._recognizer.detector), "__call__", fail)
    paths = [upload("a.png", picture(0)), upload("bad.png", picture(2)), upload("b.png", picture(1))]
    rows = work.rows(paths)
    assert [(row["file"], row["status"]) for row in rows] == [
        ("a.png", "no_face"),
        ("bad.png", "error"),
        ("b.png", "no_face"),
    ]
    assert type(failure).__name__ in rows[1]["error"] and "an upload failed" in caplog.text
    assert not any(path.exists() for path in paths)


def test_a_sample_is_shown_and_stays(work):
    sample = Path(__file__).resolve().parents[2] / "samples" / "astronaut.jpg"
    assert "astronaut.jpg" in work.show_sample(sample) and sample.exists()
