"""PyTorch as an engine: layer by layer, or compiled into kernels made for the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from tuningfork.engines.engine import CPU_BATCH, GPU_BATCH, Engine, Graph
from tuningfork.models import GalaxyModel


class TorchEngine(Engine):
    """Layer by layer. A GPU works in bfloat16 where that keeps the answers: in everything but sums and norms."""

    cpu_only = False

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        super().__init__(list(network.heads), CPU_BATCH if device.type == "cpu" else GPU_BATCH)
        graph = Graph(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self.graph: Callable[[torch.Tensor], Sequence[torch.Tensor]] = graph

    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features and raw outputs, float32, on the device of the images."""
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            seen = self.graph(images.contiguous(memory_format=torch.channels_last))
            return [result.float() for result in seen]


class CompiledEngine(TorchEngine):
    """Compiled by torch.compile, on the CPU with the weights frozen into the code (Ansel et al. 2024, ASPLOS)."""

    fixed = True  # another number of images would be compiled anew
    repaid = 900

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        super().__init__(network, device)
        options: dict[str, Any] | None = {"freezing": True} if device.type == "cpu" else None
        self.graph = torch.compile(self.graph, fullgraph=True, dynamic=False, options=options)
