"""A hook of MkDocs: pages made of files that lie elsewhere, and drawings that take the colours of the page."""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PAGES = {  # file in the repository: page
    "weights/README.md": "model_card.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def on_files(files, config):
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=move_links((ROOT / source).read_text(), source)))
    files.append(File.generated(config, "notebook.md", content=notebook_to_markdown(json.loads(NOTEBOOK.read_text()))))
    return files


def on_page_markdown(markdown, page, config, files):
    """What pages say of files outside docs/ links to their pages; drawings become part of the page."""
    for source, target in PAGES.items():
        markdown = re.sub(rf"\]\(\.\./{source}(#[\w-]+)?\)", rf"]({target}\1)", markdown)
    return re.sub(r"^!\[([^\]]*)\]\(([\w/]+\.svg)\)$", _inline, markdown, flags=re.M)


def move_links(text, source):
    """Links of a file of the repository, as they are from docs/."""

    def move(match):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        return f"]({PAGES.get(target, target.removeprefix('docs/'))})"

    return re.sub(r"\]\((?!\w+:|#)([^)]+)\)", move, text)


def notebook_to_markdown(notebook):
    """The cells one after the other, code in fences."""
    cells = [("".join(cell["source"]), cell["cell_type"]) for cell in notebook["cells"]]
    return "\n\n".join(f"```python\n{text}\n```" if kind == "code" else text for text, kind in cells) + "\n"


def _inline(match):
    label, path = match.groups()
    svg = re.sub(r"\n\s*", "", (ROOT / "docs" / path).read_text())  # Markdown reads no blank lines into it
    return f'<div class="drawing" role="img" aria-label="{label}">{svg}</div>'
