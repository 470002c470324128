"""The walls of the house: imports point one way, and importing does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fer"

# What each part may import of the others; itself and the ground floor always.
GROUND = {
    "labels",
    "images",
    "preprocessing",
    "resources",
    "device",
    "errors",
    "distributed",
    "files",
    "locks",
    "runtimes",
    "description",
    "onnx_metadata",
    "terminal",
}
ALLOWED = {
    "models": set(),
    "networks": {"models"},
    "losses": {"models"},
    "data": {"faces"},
    "faces": set(),
    "evaluation": {"models", "networks", "data", "faces"},
    "training": {"models", "networks", "losses", "data", "faces", "evaluation"},
    "inference": {"models", "networks", "faces"},
    "draw": {"inference"},
    "timeline": {"draw", "inference"},
    "annotations": {"draw", "inference", "timeline"},
    "benchmark": {"inference", "models", "networks", "faces", "training", "__version__"},
    "commands": {
        "models",
        "networks",
        "data",
        "faces",
        "evaluation",
        "training",
        "inference",
        "annotations",
        "benchmark",
    },
    "cli": {"commands", "__version__"},
    "__main__": {"cli"},
    "__init__": {"inference"},
}


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
        ("from fer import to_dataframe", ["pandas", "pyarrow"]),
        ("import fer.training.config", ["torch", "cv2", "albumentations", "gradio"]),
        ("import fer.training.loop", ["gradio", "matplotlib", "fer.inference"]),
        ("import fer.cli", ["torch", "cv2"]),
        ("import fer.models", ["torch", "timm"]),
        ("import fer.device, fer.benchmark.run, fer.benchmark.report", ["torch", "timm", "safetensors", "onnxruntime"]),
        ("import app.handlers, app.live, app.views, app.uploads", ["torch", "gradio", "playwright", "matplotlib"]),
        ("import app.__main__", ["gradio", "torch", "cv2"]),
    ],
)
def test_importing_brings_no_more_than_needed(code, absent):
    check = f"import sys; {code}; print([m for m in {absent} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert run.stdout.strip() == "[]"
