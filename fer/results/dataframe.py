"""Results as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..labels import EMOTIONS
from .rows import BOOLEANS, COLUMNS, INTEGERS, TEXTS, to_rows
from .types import ImageResult

if TYPE_CHECKING:
    import pandas


def to_dataframe(results: Iterable[ImageResult], classes: Sequence[str] | None = None) -> pandas.DataFrame:
    """The rows that `fer predict --out` writes of the same results: one per face, or per image without a face.

    What a row does not have is missing (`pandas.isna`). Texts have the type string, `frame`, `face` and `track` Int64,
    `aligned` and `unsure` boolean, the others float64.

    Args:
        results: of `predict_paths` or `predict_video`.
        classes: columns of emotions; None takes those of the first face, or all of `fer.EMOTIONS` where there is none.

    Raises:
        ModuleNotFoundError: pandas is not installed.

    Examples:
        >>> from fer import EmotionRecognizer, to_dataframe
        >>> results = EmotionRecognizer.from_pretrained().predict_paths(["samples/astronaut.jpg"])
        >>> to_dataframe(results)[["path", "face", "label", "unsure"]]
                            path  face      label  unsure
        0  samples/astronaut.jpg     0  happiness   False
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ModuleNotFoundError("to_dataframe needs pandas: pip install pandas", name="pandas") from None

    rows: list[dict] = []
    found: list[str] | None = None
    for result in results:
        rows += to_rows(result)
        found = found or next((list(face.probs) for face in result.faces), None)
    columns = [*COLUMNS, *(classes or found or EMOTIONS)]
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(TEXTS, "string")
    kinds |= dict.fromkeys(BOOLEANS, "boolean")
    return pandas.DataFrame(rows, columns=columns).astype({name: kinds.get(name, "float64") for name in columns})
