"""Who is in an image: from its name, or from a table."""

from __future__ import annotations

import re

import numpy as np

from ..io.columns import look_up


def find_persons(names: list[str], source: str) -> np.ndarray:
    """The person in each image [N].

    Args:
        names: of the images, such as `happy/anna_1.jpg`.
        source: a regular expression, found in each name, whose first group is the person; or the path of a CSV file
            with a column `person` and one that names the image (see `look_up`).

    Raises:
        ValueError: `source` is neither, or tells nothing of an image.
    """
    if source.lower().endswith(".csv"):
        persons = look_up(source, ["person"], names)["person"]
    else:
        persons = _find_by_name(names, source)
    if missing := [name for name, person in zip(names, persons) if not person]:
        raise ValueError(f"--person {source}: no person for {missing[0]} ({len(missing)} of {len(names)} images)")
    return np.array(persons)


def _find_by_name(names: list[str], pattern: str) -> list[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--person {pattern}: neither a .csv file nor a regular expression ({error})") from None
    if not expression.groups:
        raise ValueError(f"--person {pattern}: expected a group in parentheses, which is the person")
    found = [expression.search(name) for name in names]
    return [(match[1] or "") if match else "" for match in found]
