"""Photos as HTML: boxes, labels and cards."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from app.photos import show_photo
from fer.io.images import read_image
from fer.labels import EMOTIONS
from fer.results.types import Face, ImageResult

IMAGE = np.full((200, 400, 3), 90, np.uint8)


def face(box: tuple, label: str = "happiness", others: float = 0.01, unsure: str = "") -> Face:
    probs = {name: 1 - 7 * others if name == label else others for name in EMOTIONS}
    return Face(np.array(box, float), None, 0.9, probs, unsure, aligned=False)


def show(recognizer, *faces: Face, name: str = "a.jpg") -> str:
    return show_photo(recognizer, ImageResult(name, list(faces), image=IMAGE))


@pytest.mark.parametrize(
    ("box", "place", "side"),
    [
        ((100, 50, 200, 150), "--left:25.00%;--top:25.00%;--right:50.00%;--bottom:25.00%", "left"),
        ((300, 0, 390, 20), "--left:75.00%;--top:0.00%;--right:2.50%;--bottom:90.00%", "right"),
        ((-40, -20, 440, 220), "--left:0.00%;--top:0.00%;--right:0.00%;--bottom:0.00%", "left"),  # cut off
    ],
)
def test_boxes_lie_on_the_picture_and_labels_go_to_its_middle(recognizer, box, place, side):
    html = show(recognizer, face(box))
    assert place in html and f'data-side="{side}"' in html
    assert "--width:400;--height:200" in html


def test_a_face_has_a_box_with_a_name_and_a_card(recognizer):
    html = show(recognizer, face((10, 10, 90, 90)), face((200, 10, 280, 90), "disgust", unsure="too dark"))
    names = ["face 1: happiness 93%", "face 2: unsure, perhaps disgust 93%"]
    assert re.findall(r'aria-label="(face[^"]*)"', html) == 2 * names  # boxes, then cards
    assert re.findall('class="label"[^>]*>(.*?)</span></span>', html) == [
        '<span class="number">1</span> <span>happiness 93%',
        '<span class="number">2</span> <span>disgust? 93%',
    ]
    assert "--emotion:rgb(240,200,40);--ink:black" in html
    assert 'aria-hidden="true"><span>happiness 93%' in show(recognizer, face((10, 10, 90, 90)))  # one needs no number


def test_many_faces_have_compact_cards(recognizer):
    certain, open_ = face((10, 10, 90, 90), others=0.004), face((200, 10, 280, 90), others=0.1)
    assert show(recognizer, certain, open_).count('class="bar"') == 16
    html = show(recognizer, certain, certain, open_)
    assert html.count('class="bar"') == 1 + 1 + 8 and html.count("others below 1%") == 2
    assert 'class="cards compact"' in html


def test_the_annotated_copy_can_be_downloaded(recognizer):
    html = show(recognizer, face((100, 50, 200, 150)), name='<"my">.photo.png')
    file, data = re.search('download="([^"]*)" href="data:image/jpeg;base64,([^"]*)"', html).groups()
    assert file == "&lt;&quot;my&quot;&gt;.photo.annotated.jpg"
    copy = read_image(base64.b64decode(data))
    assert copy.shape == IMAGE.shape and np.ptp(copy) > 100  # the picture is plain, the box is not
    (shown,) = re.findall('<img src="data:image/jpeg;base64,([^"]*)" alt="&lt;', html)
    assert np.ptp(read_image(base64.b64decode(shown))) < 5


def test_a_picture_without_faces_or_with_an_error(recognizer):
    html = show(recognizer)
    assert "no face found" in html and "download" not in html and "card" not in html.replace("cards", "")
    broken = show_photo(recognizer, replace(ImageResult("b.jpg", []), error="not an image file"))
    assert broken == '<p class="problem" role="alert">b.jpg: not an image file</p>'
