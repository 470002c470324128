"""What is published of the recipe of a run."""

import pytest

from fer.evaluation import publish


@pytest.mark.parametrize("recipe", [{"teachers": [3], "init_weights": {"a": 1}}, {"mean_of": "runs/a/b/c"}, {}])
def test_any_recipe_is_published(recipe):
    assert publish.without_places(recipe).keys() == recipe.keys()
