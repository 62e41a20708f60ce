"""Unusual galaxies in the order in which they are likely to interest: thumbs up and down on some re-rank all.

After Astronomaly (Lochner & Bassett 2021, Astronomy and Computing 36, 100481, section 2.5): a random forest learns from
the votes how interesting a galaxy is, and its score is weighed down where that is little and the votes are near; far
from all votes it is left as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tuningfork.errors import TuningforkError
from tuningfork.explore.learner import Learner
from tuningfork.explore.queue import Values, highest

RANKED = 50_000  # the most unusual galaxies, which alone are ranked anew
TREES = 100
LEAST, RANGE = 0.1, 0.85  # what an interest of 0 weighs, and how much more one of 1


class Anomalies:
    """The order of a catalogue's unusual galaxies."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self._ranking = threading.Lock()
        self._ranked = False

    def prepare(self) -> None:
        """Let the catalogue be sorted so by the votes there are, where that can be done and was not yet."""
        if not self._ranked and self.learner.unusual is not None:
            self._rank(self.learner.unusual)

    def vote(self, row: int, *, up: bool) -> int:
        """Say of a row whether it is interesting, and rank anew; how many votes there are.

        Raises
        ------
        TuningforkError
            If there are no features.
        """
        labelling, known = self.learner.labelling, self.learner.features.known
        if not known[row]:
            raise TuningforkError("the embedding has no features of this galaxy; nothing could be learned from a vote")
        labelling.journal.vote(labelling.id_of(row), interesting=up)
        assert self.learner.unusual is not None  # since there are features
        self._rank(self.learner.unusual)
        return len(labelling.labels.votes)

    def _rank(self, unusual: Values) -> None:
        """Let the catalogue be sorted by how unusual a galaxy is, and by the votes on others."""
        with self._ranking:
            n = len(unusual)
            rows, votes = highest(unusual, np.arange(n), min(RANKED, n)), self._votes()
            if votes:
                features = self.learner.features
                rows, voted = rows[features.known[rows]], np.array(list(votes), np.int64)
                points, known = (self.learner.scale.of(features.values[each]) for each in (rows, voted))
                scores = interest(points, _ranks(len(rows)), known, np.array(list(votes.values()), np.float64))
                rows = rows[np.argsort(-scores, kind="stable")]
            self.learner.catalogue.put_order("anomaly", rows)
            self._ranked = True

    def _votes(self) -> Mapping[int, bool]:
        """The votes by row, of galaxies with features."""
        labelling = self.learner.labelling
        if labelling.state.embedding is None:
            return {}
        votes, known = dict(labelling.labels.votes), labelling.state.embedding.known
        rows = zip(labelling.rows_of(votes), votes.values(), strict=True)
        return {row: up for row, up in rows if row is not None and known[row]}


def interest(points: NDArray[np.float64], scores: Values, voted: NDArray[np.float64], votes: Values) -> Values:
    """How likely each galaxy is to interest, (N,), from its score (N,) and votes (M,) of 0 or 1 on others.

    `points` (N, F) and `voted` (M, F) are features on one scale.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.neighbors import NearestNeighbors

    liked = RandomForestRegressor(TREES, random_state=0).fit(voted, votes).predict(points)
    apart = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(voted).kneighbors(points)[0][:, 0]
    far = np.exp(np.minimum(apart / max(float(apart.mean()), 1e-12), 50.0))
    weighed: Values = scores * np.tanh(far - 1 + np.arctanh(LEAST + RANGE * liked))
    return weighed


def _ranks(n: int) -> Values:
    """Scores of galaxies that are in order already, from 1 down to 0, whatever the scale of what ordered them."""
    scores: Values = 1 - np.arange(n) / max(n, 1)
    return scores
