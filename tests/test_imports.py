"""The walls of the house: imports point one way, and importing does nothing."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fer"

# What each part may import of the others; itself and the ground floor always. Parts are listed from the ground up.
GROUND = {"labels", "errors", "preprocessing", "description", "registry", "prior"}
GROUND |= {"resources", "hub", "device", "distributed", "terminal"}
LIGHT_CORE = {
    "io": set(),
    "runtimes": {"models"},  # PyTorch, where it is asked for
    "faces": {"runtimes"},
    "results": {"io", "faces"},
    "inference": {"io", "runtimes", "faces", "results"},
    "visualization": {"io", "results"},
}
LABORATORY = {
    "models": {"io"},
    "losses": {"models"},
    "data": {"io", "faces"},
    "evaluation": {"io", "runtimes", "faces", "results", "visualization", "models", "data"},
    "training": {"io", "runtimes", "faces", "models", "losses", "data", "evaluation"},
    "experiments": {"io", "models", "data", "evaluation", "training"},
    "fitting": {
        "io",
        "runtimes",
        "inference",
        "models",
        "data",
        "evaluation",
        "training",
    },  # torch to fine-tune only
}
EVERYTHING = {*LIGHT_CORE, *LABORATORY}
ALLOWED = (
    LIGHT_CORE
    | LABORATORY
    | {
        "benchmark": {"io", "runtimes", "faces", "inference", "models", "training", "__version__"},
        "commands": {*EVERYTHING, "benchmark"} - {"losses"},
        "cli": {"commands", "__version__"},
        "__main__": {"cli"},
        "__init__": {"inference", "results", "models"},
    }
)


def imported_parts(path: Path) -> set[str]:
    """The parts of the package that a file imports, anywhere in it."""
    parts = set()
    depth = len(path.relative_to(PACKAGE).parts) - 1
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            parts |= {(node.module or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any(name.split(".")[0] == "fer" for name in names), f"{path}: import relatively"
    return parts


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = GROUND if part in GROUND else ALLOWED[part] | GROUND | {part}
    assert imported_parts(path) <= allowed


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import fer", ["torch", "cv2", "numpy"]),
        (
            "from fer import EmotionRecognizer",
            ["torch", "safetensors", "albumentations", "matplotlib", "gradio", "tensorboard", "yaml"],
        ),
        (
            "import fer.inference.files, fer.inference.ray_engine",
            ["torch", "ray", "av", "pyarrow", "supervision", "pandas"],
        ),
        ("from fer import to_dataframe, to_detections", ["pandas", "pyarrow", "supervision"]),
        ("import fer.training.config", ["torch", "cv2", "albumentations", "gradio"]),
        ("import fer.training.loop", ["gradio", "matplotlib", "fer.inference"]),
        ("import fer.cli", ["torch", "cv2"]),
        ("import fer.models", ["torch", "timm"]),
        ("import fer.evaluation.push", ["torch", "jinja2", "huggingface_hub", "pooch", "requests"]),
        ("import fer.device, fer.benchmark.run, fer.benchmark.report", ["torch", "timm", "safetensors", "onnxruntime"]),
        ("import app.handlers, app.live, app.views, app.uploads", ["torch", "gradio", "playwright", "matplotlib"]),
        ("import app.web", ["torch", "gradio", "starlette", "pooch", "markdown_it", "matplotlib"]),
        ("import app.__main__", ["gradio", "torch", "cv2"]),
    ],
)
def test_importing_brings_no_more_than_needed(code, absent):
    check = f"import sys; {code}; print([m for m in {absent} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert run.stdout.strip() == "[]"


def test_no_circle():
    """Whatever a module imports, also late or for types, does not import it in turn."""
    modules = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    imports = {name: set(imported_modules(path)) & modules.keys() for name, path in modules.items()}
    left = dict(imports)
    while done := [name for name, needed in left.items() if not needed & left.keys() - {name}]:
        for name in done:
            del left[name]
    assert not left


def imported_modules(path: Path) -> Iterator[str]:
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = [*folder[: len(folder) - node.level + 1], *(node.module.split(".") if node.module else [])]
            yield from (".".join([*start, "__init__"]), ".".join(start))
            yield from (".".join([*start, alias.name]) for alias in node.names)


def test_the_table_of_the_documents():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (PACKAGE.parent / "docs" / "architecture.md").read_text(), re.M)
    table = {part: set(re.findall(r"`(\w+)`", others.partition(":")[0])) for part, others in rows if part in EVERYTHING}
    assert table == LIGHT_CORE | LABORATORY
