"""PyTorch with convolutions and what is around them done at once, 3x3 ones from a quarter of the products (CPU)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tuningfork.engines import Engine, Graph
from tuningfork.errors import ModelError
from tuningfork.models import GalaxyModel
from tuningfork_fused.graph import rewritten
from tuningfork_fused.pool import ThreadPool

BATCH = 64  # images at once: what deep layers have many of, weights, is passed through once for all


class FusedEngine(Engine):
    """Norms, sums and activations become part of the convolutions before them; see `graph` and `kernel`."""

    repaid = 20

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        super().__init__(list(network.heads), BATCH)
        if not all(weights.isfinite().all() for weights in network.state_dict().values()):
            raise ModelError("the network has weights that are no numbers, which the engine fused might hide")
        size, channels = network.spec.view.size, network.spec.geometry.channels
        sample = torch.zeros(2, channels, size, size).contiguous(memory_format=torch.channels_last)
        self.graph = rewritten(Graph(network).to("cpu"), sample, ThreadPool(torch.get_num_threads()))

    @classmethod
    def suits(cls, network: GalaxyModel) -> bool:
        """Whether the network is made of convolutions; what can be done at once with each is not looked at."""
        return sum(type(layer) is nn.Conv2d and layer.groups == 1 for layer in Graph(network).modules()) > 1

    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features and raw outputs, float32, on the CPU."""
        with torch.inference_mode():
            found: Sequence[torch.Tensor] = self.graph(images.contiguous(memory_format=torch.channels_last))
            return found
