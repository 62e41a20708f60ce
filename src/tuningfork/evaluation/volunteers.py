"""The number of volunteers it would take to be as close to the crowd as the model is.

The crowd's answer to a question is the fraction that endless volunteers would give, p; the label is what N of them did
give, y, whose variance about p is p (1 - p) / N. Of n volunteers' mean the expected squared distance from p is
p (1 - p) / n, and of the model's answer m it is (m - p)^2. Both are estimated from y without bias:

    p (1 - p)  from  y (1 - y) N / (N - 1)          (m - p)^2  from  (m - y)^2 - y (1 - y) / (N - 1)

so that the n whose mean is, over the galaxies and answers of a question, as close to the crowd as the model is

    n  =  sum of y (1 - y) N / (N - 1)  /  sum of [(m - y)^2 - y (1 - y) / (N - 1)]

The second sum is the model's own error, the label's noise taken off. Where it is not above 0 the model answers like the
crowd and n is without end; an interval that reaches so far is not given. Votes are taken for independent,
and N for that of the tree where labels are fractions: weighted votes (Willett et al. 2013) are worth somewhat fewer.
"""

from __future__ import annotations

import numpy as np

from tuningfork.evaluation.bootstrap import Array, Measure
from tuningfork.evaluation.metrics import ratio


def equivalent_volunteers(predicted: Array, observed: Array, votes: Array) -> Measure:
    """The equivalent number of volunteers of one question, as a measure.

    Parameters
    ----------
    predicted, observed
        (N, A) fractions, both of everyone or both of those who were asked; NaN where unknown.
    votes
        (N,) votes behind each row of `observed`; rows of fewer than two tell nothing of their noise and are left out.
    """
    known = np.isfinite(predicted).all(axis=1) & np.isfinite(observed).all(axis=1) & (votes >= 2)
    noise = np.where(known[:, None], observed * (1 - observed), 0.0).sum(axis=1) / np.where(known, votes - 1, 1.0)
    errors = np.where(known[:, None], (predicted - observed) ** 2, 0.0).sum(axis=1) - noise
    spread = np.where(known, noise * votes, 0.0)

    def of(weights: Array) -> Array:
        error = weights @ errors
        found = ratio(weights @ spread, np.where(error > 0, error, np.nan))
        return np.where(error > 0, found, np.where(weights @ spread > 0, np.inf, np.nan))

    return Measure(of, int(known.sum()))
