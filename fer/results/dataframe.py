"""Results as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..labels import EMOTIONS, VA
from .rows import BOOLEANS, COLUMNS, INTEGERS, TEXTS, to_rows
from .types import ImageResult

if TYPE_CHECKING:
    import pandas


def to_dataframe(results: Iterable[ImageResult], classes: Sequence[str] | None = None) -> pandas.DataFrame:
    """Results as a pandas table: one row per face, or per image without a face, as `fer predict --out` writes them.

    Missing values are NA. Texts have the dtype string; `frame`, `face` and `track` Int64; `aligned`
    boolean; all others float64. `unsure` holds the reason, and is NA where the result is sure. There are columns
    `valence` and `arousal` if a face has them.

    Args:
        results: of `predict_paths` or `predict_video`.
        classes: the emotions, one column each. None takes those of the first face; without any face, `fer.EMOTIONS`.

    Raises:
        ModuleNotFoundError: pandas is not installed.

    Examples:
        >>> from fer import EmotionRecognizer, to_dataframe
        >>> results = EmotionRecognizer.from_pretrained().predict_paths(["samples/astronaut.jpg"])
        >>> to_dataframe(results)[["path", "face", "label", "unsure"]]
                            path  face      label unsure
        0  samples/astronaut.jpg     0  happiness   <NA>
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ModuleNotFoundError("to_dataframe needs pandas: pip install pandas", name="pandas") from None

    rows: list[dict] = []
    classes_of_faces: list[str] | None = None
    for result in results:
        rows += to_rows(result)
        classes_of_faces = classes_of_faces or next((list(face.probs) for face in result.faces), None)
    columns = [*COLUMNS, *(classes or classes_of_faces or EMOTIONS)]
    columns += [name for name in VA if any(name in row for row in rows)]
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(TEXTS, "string")
    kinds |= dict.fromkeys(BOOLEANS, "boolean")
    return pandas.DataFrame(rows, columns=columns).astype({name: kinds.get(name, "float64") for name in columns})
