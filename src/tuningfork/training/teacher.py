"""A teacher's answers as targets: distillation, and lessons from galaxies that nobody has labelled.

A blend of the label and the answer of a larger model is a less noisy target than some forty votes are (Hinton, Vinyals
& Dean 2015, arXiv:1503.02531), and where there is no label the answer stands in for it (Xie et al. 2020,
arXiv:1911.04252).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tuningfork.catalogs import read_table
from tuningfork.errors import RecipeError
from tuningfork.models.heads import Head, TeacherSpec


def teach(head: Head, labels: np.ndarray, catalog: pd.DataFrame, train: np.ndarray, spec: TeacherSpec) -> np.ndarray:
    """The targets of a head, (N, T), after its teacher's answers: labels (N, T) of a catalog, changed in rows `train`.

    Raises
    ------
    RecipeError
        If this head has no fractions or quantities to be taught, or the teacher answers none of the galaxies.
    CatalogError
        If the table of answers can't be read, or lacks an answer of this head's schema.
    """
    if not head.taught:
        raise RecipeError(f"a {head.spec.kind} head can't have a teacher; heads of vote fractions and quantities can")
    columns = list(head.schema.prediction_columns)
    table = read_table(spec.answers, ["id_str", *columns])
    table = table.dropna(subset=["id_str"]).drop_duplicates("id_str").set_index("id_str")
    ids = catalog["id_str"].iloc[train]
    answers = table.reindex(ids)[columns].to_numpy(dtype=np.float32)
    if np.isnan(answers).all():
        raise RecipeError(f"the teacher's table {spec.answers} answers none of the training galaxies; see its id_str")
    known, targets = labels[train], labels.copy()
    blend = (1 - spec.weight) * known + spec.weight * answers
    targets[train] = np.where(np.isnan(answers), known, np.where(np.isnan(known), answers, blend))
    return targets
