"""Explaining one galaxy: its figures, and the numbers that sum them up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuningfork.explain.features import feature_maps, network_view
from tuningfork.explain.figures import Explanation, explanation_figure, features_figure
from tuningfork.explain.grad_cam import enlarge, evidence
from tuningfork.explain.occluding import default_patch, patch_drops, patch_starts, spread
from tuningfork.explain.target import answer_lines, find_target, leading_target
from tuningfork.files import sha256
from tuningfork.models import GalaxyModel
from tuningfork.plotting.style import save, styled

ANSWERS = 8  # shown beside the maps
UNITS = {"tree": "predicted fractions of the votes", "classes": "predicted probabilities", "quantities": "predicted"}


def explain_pixels(model: GalaxyModel, identity: str, pixels: np.ndarray, answer: str | None) -> Explanation:
    """Explain an answer for a galaxy, pixels (H, W, C) uint8 in the model's geometry; by default the leading one."""
    batch, size = pixels[None], model.spec.view.size
    image = network_view(model, batch)
    # Raises where an answer is no finite number; a copy, for the pixels of a pack are read-only.
    model.infer(torch.tensor(batch, device=image.device))
    with torch.inference_mode():
        answers = {name: values[0].cpu().numpy() for name, values in model.expected_answers(model(image)).items()}
    target = find_target(model, answer) if answer else leading_target(model, answers)
    values = answers[target.schema.name]
    heat = evidence(model, batch, target.column)
    cam = enlarge(heat, size)[0]
    patch = default_patch(model)
    starts = patch_starts(size, patch, max(1, patch // 2))
    places = model.places(torch.tensor(batch, device=image.device))
    drops = patch_drops(model, batch, target, patch, starts)
    return Explanation(
        title=f"{identity}: what “{target.words}” rests on ({target.column}, predicted {values[target.index]:.2f})",
        column=target.column,
        value=float(values[target.index]),
        image=image[0].permute(1, 2, 0).cpu().numpy(),
        evidence=cam,
        side=heat.shape[-1],
        drops=spread(drops, starts, patch)[0],
        full=target.full,
        patch=patch,
        extremes=(float(drops.max()), float(drops.min())),
        answers=answer_lines(target, values, ANSWERS),
        unit=UNITS[target.schema.kind],
        maps=feature_maps(model, batch),
        record={
            "answer": target.column,
            "words": target.words,
            "value": float(values[target.index]),
            "gradcam": evidence_figures(cam) | {"side": heat.shape[-1]},
            "occlusion": drop_figures(drops[0], starts, patch, size),
        }
        | ({"frame": {name: float(getattr(places, name)) for name in ("width", "x", "y")}} if places else {}),
    )


def draw_galaxy(identity: str, shown: Explanation, paths: Sequence[Path], plots: str) -> dict[str, Any]:
    """Write the two plots of a galaxy, as PNG and in the format `plots`; its record for the manifest."""
    heading = f"{identity}: layer by layer, the mean and the strongest channels"
    with styled():
        files = save(explanation_figure(shown), paths[0], plots) + save(
            features_figure(heading, shown), paths[1], plots
        )
    hashes = {name: sha256(paths[0].with_name(name)) for name in files}
    return {**shown.record, "plots": [path.name for path in paths], "sha256": hashes}


def evidence_figures(cam: np.ndarray) -> dict[str, float | None]:
    """How central a Grad-CAM map (size, size) is.

    `centroid_offset` is the distance of its centroid from the centre, in sides of the view; `inner_half` the share of
    its weight in the central square of half the side. Both None for a map that is all zero.
    """
    total = float(cam.sum(dtype=np.float64))
    if total == 0:
        return {"centroid_offset": None, "inner_half": None}
    place = (np.arange(len(cam)) + 0.5) / len(cam) - 0.5
    inner = np.abs(place) < 0.25
    offset = np.hypot((cam.sum(axis=0) * place).sum() / total, (cam.sum(axis=1) * place).sum() / total)
    return {"centroid_offset": float(offset), "inner_half": float(cam[np.ix_(inner, inner)].sum() / total)}


def drop_figures(drops: np.ndarray, starts: Sequence[int], patch: int, size: int) -> dict[str, float]:
    """The largest drop of the patches (P, P), and the centre of its patch from the left and the top, 0 to 1."""
    row, column = np.unravel_index(drops.argmax(), drops.shape)
    x, y = ((starts[int(index)] + patch / 2) / size for index in (column, row))
    return {"largest_drop": float(drops[row, column]), "x": x, "y": y}
