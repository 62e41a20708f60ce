"""Maps: features to two dimensions, so that a person can look at them.

PCA (scikit-learn) is linear: distances on it mean something, at the price of what lies outside its plane. t-SNE (van
der Maaten & Hinton 2008, JMLR 9, 2579; openTSNE) and UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426) keep
neighbours together; distances between groups, and the size of a group, mean little on them. Both start from PCA, which
keeps what can be kept of the large scale (Kobak & Linderman 2021, Nat. Biotechnol. 39, 156).

All three work on standardised features, because PCA follows variance and would otherwise draw the features of the
largest scale. t-SNE and UMAP are given the first 50 principal components, which takes off noise and most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from tuningfork.embeddings.distances import standardise
from tuningfork.errors import EmbeddingError
from tuningfork.extras import require
from tuningfork.progress import progress_bar

COMPONENTS = 50
PERPLEXITY = 30.0
UMAP_NEIGHBOURS, UMAP_MIN_DIST = 15, 0.1
FEWEST = 10  # galaxies on a map
_LIBRARIES = {"pca": None, "tsne": "openTSNE", "umap": "umap"}  # what of the extra `maps` each needs


def check_maps(names: Sequence[str]) -> None:
    """Refuse, before any work, a map that can't be drawn here.

    Raises
    ------
    EmbeddingError
        If there is no map of that name.
    TuningforkError
        If the library it needs is not installed.
    """
    for name in names:
        if name not in _LIBRARIES:
            raise EmbeddingError(f"no map {name!r}; use {', '.join(_LIBRARIES)}, or none")
        if library := _LIBRARIES[name]:
            require(library, "maps")


def make_maps(features: np.ndarray, names: Sequence[str], seed: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Features (N, F), finite, to the maps asked for: positions (N, 2) float32 by name, and the settings of each.

    The same features and seed give the same map, on one machine and set of versions; t-SNE and UMAP run on one thread
    for it.

    Raises
    ------
    EmbeddingError
        If there are fewer than 10 galaxies, or no map of that name.
    TuningforkError
        If the library it needs is not installed.
    """
    check_maps(names)
    if names and len(features) < FEWEST:
        raise EmbeddingError(f"{len(features)} readable images are too few for a map ({FEWEST}); use --maps none")
    positions: dict[str, np.ndarray] = {}
    settings: dict[str, Any] = {}
    if not names:
        return positions, settings
    with progress_bar("maps", len(names)) as advance:
        pca = PCA(min(COMPONENTS, *features.shape), random_state=seed)
        components = pca.fit_transform(standardise(features)).astype(np.float32)
        shares = pca.explained_variance_ratio_
        for name in names:
            if name == "pca":
                drawn = components[:, :2]
                settings[name] = {"explained_variance": [float(share) for share in shares[:2]]}
            else:
                drawn, how = (_tsne if name == "tsne" else _umap)(components, seed)
                settings[name] = how | {"components": len(shares), "explained_variance": float(shares.sum())}
            positions[name] = np.asarray(drawn, dtype=np.float32)
            advance(1)
    return positions, settings


def _tsne(components: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    perplexity = min(PERPLEXITY, (len(components) - 1) / 3)
    library = require("openTSNE", "maps")
    tsne = library.TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit(components)), {"library": f"openTSNE {library.__version__}", "perplexity": perplexity}


def _umap(components: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    near = min(UMAP_NEIGHBOURS, len(components) - 1)
    library = require("umap", "maps")
    umap = library.UMAP(n_neighbors=near, min_dist=UMAP_MIN_DIST, init="pca", random_state=seed, n_jobs=1)
    how = {"library": f"umap-learn {library.__version__}", "neighbours": near, "min_dist": UMAP_MIN_DIST}
    return umap.fit_transform(components), how
