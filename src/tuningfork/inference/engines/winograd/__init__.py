"""PyTorch with its 3x3 convolutions done by minimal filtering, which takes a quarter of the products (CPU)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tuningfork.errors import ModelError
from tuningfork.inference.engines.engine import Engine, Graph
from tuningfork.inference.engines.winograd.convolution import Filtered
from tuningfork.inference.engines.winograd.crew import Crew
from tuningfork.inference.engines.winograd.graph import rewritten
from tuningfork.inference.engines.winograd.step import Settings
from tuningfork.models import GalaxyModel


def suits(member: GalaxyModel) -> bool:
    """Whether a network seems to have a 3x3 convolution that can be filtered so: the graph itself is not looked at."""
    layers = [layer for layer in Graph(member).modules() if type(layer) is nn.Conv2d]
    return any(
        Filtered.fits(layer.weight, Settings(layer.stride, layer.padding, layer.dilation, layer.groups))
        for layer in layers
    )


class WinogradEngine(Engine):
    """Norms, sums and ReLUs become part of the convolutions before them; see `kernel` for what is done to these."""

    def __init__(self, member: GalaxyModel) -> None:
        super().__init__(list(member.heads))
        size, channels = member.spec.view.size, member.spec.geometry.channels
        sample = torch.zeros(2, channels, size, size).contiguous(memory_format=torch.channels_last)
        self.graph = rewritten(Graph(member).to("cpu"), sample, Crew(torch.get_num_threads()))
        if not any(isinstance(layer, Filtered) for layer in self.graph.modules()):
            raise ModelError("the network has no 3x3 convolution that the engine winograd could speed up; take another")

    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features and raw outputs, float32, on the CPU."""
        with torch.inference_mode():
            return self.graph(images.contiguous(memory_format=torch.channels_last))
