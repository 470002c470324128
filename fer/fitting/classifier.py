"""Linear classifiers of embeddings, and their cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FOLDS = 5
STRENGTHS = tuple(10.0 ** np.arange(-4, 1.5, 0.5))  # candidates for C, the inverse strength of the regularisation


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """Logits of embeddings [N,D]: `embeddings @ weight.T + bias`."""

    weight: np.ndarray  # float32 [C,D]
    bias: np.ndarray  # float32 [C]

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings [N,D] -> logits [N,C]."""
        return embeddings @ self.weight.T + self.bias


def fit_classifier(embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> LinearClassifier:
    """Fit a multinomial logistic regression with an L2 penalty, whose strength is chosen by cross-validation.

    Args:
        embeddings: [N,D].
        labels: index of the class [N]; each of 0 to C-1 occurs.
        groups: [N]; the photos of a group, such as a person, are in the same fold.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scaler, regression = StandardScaler(), LogisticRegression(C=STRENGTHS[4], max_iter=1000)
    model = make_pipeline(scaler, regression)
    folds = list(make_folds(labels, groups))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if folds:
            grid = {"logisticregression__C": STRENGTHS}
            model = GridSearchCV(model, grid, scoring="neg_log_loss", cv=folds).fit(embeddings, labels).best_estimator_
        else:
            model.fit(embeddings, labels)
    scaler, regression = model[0], model[1]
    weight, bias = regression.coef_, regression.intercept_
    if len(weight) == 1:  # of two classes, the second is described alone
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    return LinearClassifier(*(np.ascontiguousarray(values, np.float32) for values in (weight, bias)))


def cross_validate(embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The logits [N,C] of each face by a classifier that was fitted without the faces of its fold.

    The strength of the regularisation is chosen anew in each fold, without the faces on which it is tested.

    Raises:
        ValueError: there are no folds that all classes have; see `make_folds`.
    """
    logits = np.full((len(labels), labels.max() + 1), np.nan, np.float32)
    for train, test in make_folds(labels, groups):
        logits[test] = fit_classifier(embeddings[train], labels[train], groups[train])(embeddings[test])
    if np.isnan(logits).any():
        raise ValueError("the photos cannot be divided so that each part has all classes in the others")
    return logits


def make_folds(labels: np.ndarray, groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices for training and testing: at most FOLDS, stratified by class; a group is never on both sides.

    Folds without which a class would be unknown are left out.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    classes = np.unique(labels)
    folds = min(FOLDS, *(len(np.unique(groups[labels == c])) for c in classes))
    if folds < 2:
        return
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for train, test in splitter.split(labels[:, None], labels, groups):
        if len(np.unique(labels[train])) == len(classes):
            yield train, test
