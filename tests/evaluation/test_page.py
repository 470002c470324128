"""The page of an evaluation: what it says, and that it needs nothing else."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from app.benchmark import CHROMIUM, FLAGS
from conftest import make_ferplus
from fer.evaluation.comparison import compare
from fer.evaluation.evaluate import evaluate_subject, load_subject
from fer.evaluation.groups import measure_groups
from fer.evaluation.page import choose_pictures, write_page
from fer.evaluation.request import EvaluationRequest
from fer.evaluation.robustness import measure_robustness


class Tags(HTMLParser):
    """All tags with their attributes; raises where one is not closed."""

    VOID = {"meta", "img", "br", "line", "circle", "polyline"}

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tiny_checkpoint, tmp_path_factory) -> tuple[str, object, object]:
    folder = tmp_path_factory.mktemp("page")
    data = make_ferplus(folder / "data", {"FER2013Train": 8, "FER2013Valid": 48})
    subject = load_subject(EvaluationRequest(tiny_checkpoint, "ferplus", data, "val", device="cpu"))
    evaluation, split = evaluate_subject(subject)
    table = split.table()
    other = table.subset(np.arange(len(table)))
    other.labels[:20] = (other.labels[:20] + 1) % 8
    grouping = measure_groups(table, "<age>", ["young & old"] * 40 + ["rest"] * 8)
    rows = [row for (row, _), _ in zip(measure_robustness(subject, split), range(3))]
    write_page(
        folder / "report.html",
        evaluation,
        table,
        subject.samples.read,
        comparison=(compare(table, other, "peer.csv"), other),
        groupings=[grouping],
        robustness=rows,
        environment={"numpy": "1.2.3"},
    )
    return (folder / "report.html").read_text(encoding="utf-8"), evaluation, table


def test_it_is_whole_and_loads_nothing(page):
    parser = Tags()
    parser.feed(page[0])
    assert parser.open == []
    links = [attrs[name] for _, attrs in parser.tags for name in ("src", "href") if name in attrs]
    assert links and all(link.startswith("data:image/jpeg;base64,") for link in links)
    assert "url(" not in page[0] and "@import" not in page[0] and "<script" not in page[0]
    assert all(attrs.get("alt") for tag, attrs in parser.tags if tag == "img")
    assert all(attrs.get("aria-label") for tag, attrs in parser.tags if tag == "svg")


def test_it_says_what_was_measured(page):
    html, evaluation, table = page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))
    m = evaluation.metrics
    assert f"Accuracy {m.accuracy:.2%} {evaluation.intervals['accuracy'].low:.1%} to" in text
    assert f"Calibration error {m.expected_calibration_error:.2%}" in text
    assert "By &lt;age&gt;" in text and "young &amp; old" in text  # names are not read as HTML
    assert "Compared with peer.csv" in text and "20 labels differ" in text
    assert "Beside human votes" in text and f"the network in {m.accuracy:.1%}" in text
    assert (
        "Robustness" in text
        and "blur standard deviation, share of the side 0.02" in text
        and "blur 0.04" in text
        and "numpy 1.2.3" in text
    )
    for count in np.ravel(m.confusion_matrix):
        assert f">{count}<" in html
    chosen = choose_pictures(table)
    assert html.count("<img ") == len(chosen["mistakes"]) + len(chosen["hits"]) + 20


def test_the_pictures_are_the_most_confident_mistakes_and_the_least_certain_hits(page):
    _, _, table = page
    confidence, chosen = table.probs.max(1), choose_pictures(table)
    wrong, right = chosen["mistakes"], chosen["hits"]
    assert not table.correct[wrong].any() and confidence[wrong[0]] == confidence[~table.correct].max()
    assert table.correct[right].all() and confidence[right[0]] == confidence[table.correct].min()
    assert (np.diff(confidence[wrong]) <= 0).all() and (np.diff(confidence[right]) >= 0).all()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_it(page, tmp_path, width, scheme):
    """It fits a phone, follows the colours of the system, and what scrolls can be reached by the keyboard."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="browser tests need playwright: pip install playwright"
    )
    (tmp_path / "report.html").write_text(page[0], encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        requests, complaints = [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.goto((tmp_path / "report.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
        boxes = [chart.bounding_box() for chart in tab.locator("svg").all()]
        assert boxes and all(box["width"] > 200 and box["height"] > 80 for box in boxes)
        style = "getComputedStyle(document.body)"
        paper, ink = tab.evaluate(f"[{style}.backgroundColor, {style}.color]")
        assert (brightness(paper) > brightness(ink)) == (scheme == "light")
        wider = "e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'auto' && e.tabIndex < 0"
        assert tab.evaluate(f"[...document.querySelectorAll('*')].filter({wider}).length") == 0
        browser.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == [] and complaints == []


def brightness(color: str) -> int:
    return sum(map(int, re.findall(r"\d+", color)[:3]))
