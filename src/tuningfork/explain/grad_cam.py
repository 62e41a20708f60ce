"""Grad-CAM: where in its last maps a network finds the evidence for an answer.

Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization"
(arXiv:1610.02391), equations 1 and 2. The gradient is that of the answer itself, so for a decision tree it comes down
through the softmax of each question and the product of the parents' fractions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from tuningfork.errors import ModelError
from tuningfork.explain.features import Watched, network_view, stages, watch
from tuningfork.explain.target import find_target
from tuningfork.models import GalaxyModel

SMALLEST = 4  # pixels; a map with fewer on a side says next to nothing of where


def gradcam(model: GalaxyModel, pixels: np.ndarray, column: str) -> np.ndarray:
    """Where the evidence for an answer is: (N, size, size) float32 over the network's view, 1 where it is strongest.

    All zero where nothing speaks for the answer. The maps are those of the encoder's last stage that has 4 x 4 pixels
    or more and that the answer depends on (the patches of a vision transformer's last block do not matter where its
    answers come from a class token alone), enlarged bilinearly.

    Parameters
    ----------
    pixels
        (N, H, W, C) uint8 in the model's geometry.
    column
        The answer: a prediction column of any of the model's heads.

    Raises
    ------
    ModelError
        If the model has no such answer, or its encoder has no maps.
    """
    return enlarge(evidence(model, pixels, column), model.spec.view.size)


def evidence(model: GalaxyModel, pixels: np.ndarray, column: str) -> torch.Tensor:
    """As `gradcam`, at the resolution of the maps: (N, side, side) float32."""
    target = find_target(model, column)
    images = network_view(model, pixels).requires_grad_()
    with torch.enable_grad():
        answers, watched = watch(model, images)
        found = stages(watched)
        if not found:
            raise ModelError(
                f"encoder {model.spec.encoder!r} has no feature maps, so no Grad-CAM; use a convolutional one"
            )
        total = answers[target.schema.name][:, target.index].sum()
        gradients = torch.autograd.grad(total, [stage.raw for stage in found], allow_unused=True)
    stage, gradient = _deciding(found, gradients)
    weights = stage.maps(gradient).mean(dim=(2, 3), keepdim=True)  # equation 1
    heat = (weights * stage.maps(stage.raw.detach())).sum(dim=1).relu().float()  # equation 2
    strongest = heat.amax(dim=(1, 2), keepdim=True)
    return heat / torch.where(strongest > 0, strongest, torch.ones_like(strongest))


def enlarge(heat: torch.Tensor, size: int) -> np.ndarray:
    """Maps (N, side, side) brought to (N, size, size), bilinearly."""
    large = functional.interpolate(heat[:, None], size=(size, size), mode="bilinear", align_corners=False)
    return large[:, 0].clamp(0, 1).cpu().numpy()


def _deciding(found: list[Watched], gradients: tuple[torch.Tensor | None, ...]) -> tuple[Watched, torch.Tensor]:
    """The last stage of enough pixels whose maps have a gradient, and that gradient; failing that, the last of all."""
    pairs = [
        (stage, torch.zeros_like(stage.raw) if gradient is None else gradient)
        for stage, gradient in zip(found, gradients, strict=True)
    ]
    usable = [pair for pair in pairs if pair[0].side >= SMALLEST and bool(pair[0].maps(pair[1]).count_nonzero())]
    return (usable or pairs)[-1]
