"""Cards for the Hub: their metadata, and the short card."""

import pytest
import yaml

from fer.description import Description
from fer.evaluation.hub_card import add_metadata, format_metadata, make_metadata, write_short_card
from fer.preprocessing import Preprocessing


def describe(**values) -> Description:
    defaults = {"backbone": "mobilefacenet", "num_heads": 2, "classes": ("calm", "smile"), "template": []}
    return Description(**defaults | {"preprocessing": Preprocessing()} | values)


@pytest.mark.parametrize(
    ("licence", "file", "expected"),
    [
        ("", "LICENSE", {}),
        ("MIT", "LICENSE", {"license": "mit"}),
        ("cc-by-4.0", "", {"license": "cc-by-4.0"}),
        ("Research only.", "L", {"license": "other", "license_name": "research-only", "license_link": "L"}),
        ("Für Forschung: ja", "", {"license": "other", "license_name": "f-r-forschung"}),
        ("?", "", {"license": "other", "license_name": "other"}),
    ],
)
def test_licences(licence, file, expected):
    metadata = make_metadata("net", describe(licence=licence), [], file)
    assert {name: value for name, value in metadata.items() if name.startswith("license")} == expected


@pytest.mark.parametrize(
    ("dataset", "metrics", "expected"),
    [
        ("", {}, None),  # nothing was measured
        ("ferplus", {"epoch": 3}, None),
        ("rafdb", {"accuracy": 0.5}, ("rafdb val", "rafdb", "val", [50.0])),
        (
            "parquet",
            {
                "accuracy": 0.98766,
                "macro_f1": 0.5,
                "dataset": "ferplus",
                "split": "test",
                "rule": "all",
                "detector": "none",
            },
            ("ferplus test, all, detector none", "ferplus", "test", [98.77, 50.0]),
        ),
    ],
)
def test_results(dataset, metrics, expected):
    description = describe(dataset=dataset, metrics=metrics)
    metadata = make_metadata("net", description, [metrics])
    assert metadata.get("datasets") == ([dataset] if dataset in ("ferplus", "rafdb") else None)
    results = metadata["model-index"][0]["results"] if expected else []
    assert ("model-index" in metadata) == bool(expected)
    for result in results:
        data = result["dataset"]
        values = [metric["value"] for metric in result["metrics"]]
        assert (data["name"], data["type"], data["split"], values) == expected
    assert ("## Figures" in write_short_card("me/net", description)) == bool(expected)


def test_the_short_card():
    metrics = {
        "accuracy": 0.75,
        "n": 8,
        "split": "all, cross-validated",
        "intervals": {"accuracy": {"low": 0.5, "high": 1}},
    }
    metrics["per_class"] = {"calm": {"n": 3, "recall": 1.0, "precision": None}}
    card = write_short_card("me/net", describe(dataset="folder", metrics=metrics))
    assert card.startswith("# net\n") and "these classes: calm, smile." in card and "{" not in card
    assert "In %, on folder all, cross-validated, 8 images.\n" in card
    assert "| accuracy | 75.0 (95 % interval 50.0 to 100) |" in card
    assert "| class | images | recall | precision |\n|---|---|---|---|\n| calm | 3 | 100.0 |  |\n" in card
    assert "Not stated. Ask the owner" in card and '.from_pretrained("me/net")' in card


@pytest.mark.parametrize(
    ("card", "header", "text"),
    [
        ("", {"license": "mit", "a": 1}, ""),
        ("# Card\n---\nx\n", {"license": "mit", "a": 1}, "# Card\n---\nx\n"),
        ("---\nb: 2\na: 3\n---\n\n# Card\n", {"license": "mit", "a": 3, "b": 2}, "# Card\n"),
        (
            "---\r\nlicense: other\r\nlicense_name: x\r\n---\r\n# C",
            {"a": 1, "license": "other", "license_name": "x"},
            "# C",
        ),
        ("---\n---\n# Card\n", {"license": "mit", "a": 1}, "# Card\n"),
    ],
)
def test_a_header_keeps_its_own(card, header, text):
    _, new, rest = add_metadata(card, {"license": "mit", "a": 1}).split("---\n", 2)
    assert yaml.safe_load(new) == header and rest == f"\n{text}"


def test_the_header_is_yaml_in_short_lines():
    metadata = {"tags": ["a", "b"], "name": "é: ü"}
    text = format_metadata(metadata)
    assert text == "---\ntags: [a, b]\nname: 'é: ü'\n---\n"
