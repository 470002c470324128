"""What the documents show works: Python runs and says what it should, commands parse, links lead somewhere."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
import yaml

from fer import cli
from fer.io.images import read_image
from fer.io.video import TICK
from fer.results.sinks import SINKS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md")) + sorted(DOCS.glob("reference/*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "weights/README.md", ROOT / "app/README.md", *PAGES]
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```\n", "", text, flags=re.M | re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with the samples and a clip of the astronaut."""
    import av

    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "samples", "samples")
    picture = av.VideoFrame.from_ndarray(read_image("samples/astronaut.jpg"), format="rgb24")
    with av.open("clip.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = picture.height, picture.width, "yuv420p"
        for i in range(4):
            picture.pts, picture.time_base = round(i / 10 / TICK), TICK
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return tmp_path


SNIPPETS = {  # document: lines that its Python prints
    "README.md": [r"^happiness \d+% \["],
    "docs/index.md": [r"^happiness \d+% \["],
    "docs/predict.md": [
        r"^samples/grace_hopper.jpg \['",
        r"^\('neutral', .* \[\d \d\]$",
        r"^1 +1984 +[a-z]+$",
        r"^\[0, 1\] \['happiness', '[a-z]+'\] happiness$",
        r"^\['happiness'\] \[''\] \(1, 8\)$",
    ],
    "docs/explain.md": [r"^happiness \(4, 7, 7\)$"],
    "docs/video.md": ["^2 0.20 s: face 0 happiness$", r"grace_hopper.jpg +[a-z]+ +0\.\d+$"],
    "docs/train.md": [r"\[2, 7\].*\[2, 4, 7, 7\]", r"^\('neutral', .* 0\.66"],
    "docs/runtimes.md": ["^happiness$"],
}
FILES = {
    "docs/index.md": ["drawn.jpg"],
    "docs/explain.md": ["sheet.png", "seen.jpg"],
    "docs/video.md": ["timeline.png", "faces.parquet"],
}  # and writes


def python_blocks(path: Path) -> list[str]:
    """The blocks that run; those with a title say why they do not."""
    return re.findall("^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("document", SNIPPETS)
def test_snippets(folder, capsys, document):
    with pandas.option_context("display.width", 200):
        exec(compile("\n".join(python_blocks(ROOT / document)), document, "exec"), {})
    out = capsys.readouterr().out
    for line in SNIPPETS[document]:
        assert re.search(line, out, re.M), (line, out)
    for name in FILES.get(document, []):
        assert Path(name).stat().st_size > 1000
    if "faces.parquet" in FILES.get(document, []):
        assert pandas.read_parquet("faces.parquet")["status"].tolist() == ["ok", "ok"]


def test_all_snippets_run():
    elsewhere = {"docs/extending.md"}  # in test_extending.py
    assert {name_of(path) for path in DOCUMENTS if python_blocks(path)} == SNIPPETS.keys() | elsewhere
    titles = [t for path in DOCUMENTS for t in re.findall("^```python (.*)$", path.read_text(), re.M)]
    assert titles and all(title.startswith('title="not run by the tests: ') for title in titles)


def test_notebook(folder):
    notebook = json.loads((DOCS / "notebook.ipynb").read_text())
    variables = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            exec(compile("".join(cell["source"]), "notebook", "exec"), variables)
    assert variables["faces"][0].label == "happiness"
    assert variables["table"]["status"].tolist() == ["ok", "ok"]
    assert [picture.shape for picture in variables["pictures"]] == [(112, 112, 3)] * 5


def command_lines(path: Path) -> list[str]:
    """The command lines in blocks without a language; a backslash joins lines."""
    blocks = re.findall("^```([^\n]*)\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)
    return [line.strip() for info, text in blocks if not info for line in text.replace("\\\n", " ").splitlines()]


def parse(line: str) -> None:
    """Raises SystemExit where the flags of a command line are not known."""
    words = shlex.split(line, comments=True)
    if words[0] == "fer":
        cli._parse(words[1:])
    elif "train.py" in words:
        cli._parse(["train", *words[words.index("train.py") + 1 :]])


def test_command_lines(capsys):
    lines = {line for path in DOCUMENTS for line in command_lines(path) if re.match(r"(fer|python|torchrun) ", line)}
    assert {line.split()[1] for line in lines if line.startswith("fer ")} == set(cli._COMMANDS)
    for line in sorted(lines):
        try:
            parse(line)
        except SystemExit:
            pytest.fail(f"{line}\n{capsys.readouterr().err}")
    with pytest.raises(SystemExit):
        parse("fer predict photo.jpg --no-such-flag")


def anchors(path: Path) -> set[str]:
    """The anchors that MkDocs and GitHub give to headings."""
    titles = re.findall(r"^#+ (.*)$", without_code(path.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links(path):
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=name_of)
def test_lines_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]
    assert path != ROOT / "README.md" or len(lines) <= 150


def read_navigation(entries: list) -> list[str]:
    values = [value for entry in entries for value in entry.values()]
    return [page for v in values for page in (read_navigation(v) if isinstance(v, list) else [v])]


def test_navigation():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    made = {"model_card.md", "changelog.md", "contributing.md", "notebook.md"}  # by docs/extensions/pages.py
    pages = read_navigation(config["nav"])
    assert sorted(pages) == sorted({str(path.relative_to(DOCS)) for path in PAGES} | made)


def test_formats():
    """The table of formats in predict.md has those that `fer predict --out` writes."""
    assert re.findall(r"^\| `(\.\w+)` \|", (DOCS / "predict.md").read_text(), re.M) == list(SINKS)


def test_reference_names_exist():
    """What the reference shows is there: `::: name` and its members."""
    from importlib import import_module

    for path in DOCS.glob("reference/*.md"):
        blocks = re.findall(r"^::: ([\w.]+)\n((?:    .*\n?)*)", path.read_text(), re.M)
        assert blocks
        for name, options in blocks:
            parts = name.split(".")
            try:
                found = import_module(name)
            except ModuleNotFoundError:
                found = getattr(import_module(".".join(parts[:-1])), parts[-1])
            members = re.search(r"members: \[(.*)\]", options)
            assert all(hasattr(found, member) for member in (members[1].split(", ") if members else [])), name


def test_site(tmp_path):
    """The site builds without a warning, and its pages fetch nothing from other hosts."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    fetched = r"""<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=["']?(?:https?:)?//"""
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        assert not re.search(fetched, page.read_text(encoding="utf-8")), page
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style
