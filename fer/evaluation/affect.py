"""Metrics of valence and arousal, over the images for which both are known."""

from __future__ import annotations

import numpy as np

from ..labels import VA
from .intervals import Interval, bootstrap


def concordance(x: np.ndarray, y: np.ndarray) -> float:
    """Concordance correlation coefficient (CCC; Lin 1989, Biometrics 45, 255-268) of x and y [N]; 0 if both are equal
    constants.

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2): 1 for equal values, and less than the correlation if scale or
    mean differ.
    """
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * covariance / max(spread, 1e-12))


def summarize_va(va: np.ndarray | None, targets: np.ndarray | None) -> dict[str, float]:
    """The figures of valence and arousal [N,2] for targets [N,2], NaN where they are unknown.

    Returns:
        `n_va`, the number of images; for valence and for arousal the concordance (`valence_ccc`), the root of the mean
        squared error (`valence_rmse`) and the share of equal signs (`valence_sagr`; Nicolaou et al. 2011). Empty if one
        of the arguments is None or fewer than two images have both values.
    """
    known = known_rows(va, targets)
    if va is None or targets is None or len(known) < 2:
        return {}
    return {"n_va": len(known)} | _measure(va[known].astype(float), targets[known].astype(float))


def measure_va_intervals(va: np.ndarray | None, targets: np.ndarray | None) -> dict[str, Interval]:
    """Bootstrap intervals of the figures of `summarize_va`, over the images with known values."""
    known = known_rows(va, targets)
    if va is None or targets is None or len(known) < 2:
        return {}
    x, y = va[known].astype(float), targets[known].astype(float)
    return bootstrap(lambda rows: _measure(x[rows], y[rows]), len(known))


def known_rows(va: np.ndarray | None, targets: np.ndarray | None) -> np.ndarray:
    """The rows for which valence and arousal are predicted and known, as integers."""
    if va is None or targets is None:
        return np.empty(0, int)
    return np.flatnonzero(~np.isnan(np.hstack([va, targets])).any(1))


def _measure(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    figures = {}
    for k, name in enumerate(VA):
        figures[f"{name}_ccc"] = concordance(x[:, k], y[:, k])
        figures[f"{name}_rmse"] = float(np.sqrt(np.square(x[:, k] - y[:, k]).mean()))
        figures[f"{name}_sagr"] = float((np.sign(x[:, k]) == np.sign(y[:, k])).mean())
    return figures


def format_va(figures: dict[str, float]) -> list[str]:
    """The figures of `summarize_va` as lines of text."""
    lines = [f"  {'':<12}{'CCC':>9}{'RMSE':>9}{'same sign':>11}  (n = {figures['n_va']})"] if figures else []
    for name in VA if figures else ():
        ccc, rmse, sagr = (figures[f"{name}_{kind}"] for kind in ("ccc", "rmse", "sagr"))
        lines.append(f"  {name:<12}{ccc:>9.3f}{rmse:>9.3f}{sagr:>11.2%}")
    return lines
