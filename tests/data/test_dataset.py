"""Which images are kept, by the rules of a dataset."""

import pytest

from fer.data.dataset import Dataset

PLAIN, VOTES = (
    Dataset(lambda *_: None, {}),
    Dataset(lambda *_: None, {}, rules=("majority", "probability", "all"), train_rule="probability"),
)


@pytest.mark.parametrize(
    ("dataset", "split", "rule", "chosen"),
    [
        (PLAIN, "train", "", "label"),
        (PLAIN, "val", "", "label"),
        (VOTES, "train", "", "probability"),  # training has its own default
        (VOTES, "val", "", "majority"),
        (VOTES, "train", "all", "all"),  # what is asked for wins
    ],
)
def test_the_rule_of_a_split(dataset, split, rule, chosen):
    assert dataset.rule_for(split, rule) == chosen


def test_an_unknown_rule_lists_the_choices():
    with pytest.raises(ValueError, match="unknown rule 'some'; choose one of majority, probability, all"):
        VOTES.rule_for("train", "some")
