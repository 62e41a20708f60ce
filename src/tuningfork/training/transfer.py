"""Which stages of the encoder learn in which epochs, and at what rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from tuningfork.errors import RecipeError
from tuningfork.models import GalaxyModel, encoder_stages
from tuningfork.training.tables import TransferTable


@dataclass(frozen=True)
class Phase:
    """Epochs `start` to `end` (exclusive), in which the last `released` stages of the encoder learn."""

    start: int
    end: int
    released: int


def phases(table: TransferTable, epochs: int, stages: int) -> list[Phase]:
    """The phases of a run: they follow each other without a gap, and each releases at least one stage more.

    Raises
    ------
    RecipeError
        If the run ends before the last stage is released.
    """
    starts = [(0, 0 if table.frozen else stages)]
    if table.frozen and table.frozen != "all":
        steps = range(1, stages + 1) if table.unfreeze else [stages]
        starts += [(table.frozen + index * table.unfreeze, released) for index, released in enumerate(steps)]
    if starts[-1][0] >= epochs:
        raise RecipeError(
            f"optim.epochs = {epochs} ends before the whole encoder is released, in epoch {starts[-1][0] + 1}: train "
            'longer, or set transfer.frozen = "all" to keep it frozen'
        )
    ends = [start for start, _ in starts[1:]] + [epochs]
    return [Phase(start, end, released) for (start, released), end in zip(starts, ends, strict=True)]


def layer_groups(model: GalaxyModel) -> list[list[nn.Parameter]]:
    """The parameters by depth: first the heads', then the encoder's last stage, and so on down to its first."""
    return [list(model.heads.parameters()), *reversed(encoder_stages(model.encoder))]


def release(model: GalaxyModel, groups: Sequence[Sequence[nn.Parameter]], released: int) -> None:
    """Let the heads and the last `released` stages learn, and freeze the rest.

    Normalisation layers of frozen stages keep their averages too: they belong to the weights they were measured with.
    """
    frozen = set()
    for depth, group in enumerate(groups):
        for parameter in group:
            parameter.requires_grad_(depth <= released)
            if depth > released:
                frozen.add(parameter)
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own and all(parameter in frozen for parameter in own):
            module.eval()
