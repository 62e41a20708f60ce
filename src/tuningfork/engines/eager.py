"""PyTorch as an engine: layer by layer, or compiled into kernels made for the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any

import torch

from tuningfork.engines.engine import CPU_BATCH, GPU_BATCH, Engine, Graph
from tuningfork.models import GalaxyModel

PART = 16  # images at most that a thread works on at once


@cache
def workers(process: int, threads: int) -> ThreadPoolExecutor:
    """So many threads of this process, in each of which PyTorch works with that one alone."""
    all_begun = Barrier(threads)

    def begin() -> None:
        torch.set_num_threads(1)
        all_begun.wait()

    pool = ThreadPoolExecutor(threads, f"torch-{process}", begin)
    for begun in [pool.submit(int) for _ in range(threads)]:
        begun.result()
    torch.set_num_threads(threads)  # for threads that begin later it holds what was set last
    return pool


class TorchEngine(Engine):
    """Layer by layer. A GPU works in bfloat16 where that keeps the answers: in everything but sums and norms.

    On a CPU each thread works on images of its own, through all layers: none waits for another after every layer, which
    costs a third of the speed where other programs run.
    """

    cpu_only = False

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        super().__init__(list(network.heads), 2 * CPU_BATCH if device.type == "cpu" else GPU_BATCH)
        graph = Graph(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self.graph: Callable[[torch.Tensor], Sequence[torch.Tensor]] = graph

    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features and raw outputs, float32, on the device of the images."""
        threads = torch.get_num_threads()
        if self.device.type != "cpu" or self.fixed or not 1 < threads <= len(images):
            return self._forward(images)
        parts = images.tensor_split(threads * -(-len(images) // (threads * PART)))
        answered = workers(os.getpid(), threads).map(self._forward, parts)
        return [torch.cat(results) for results in zip(*answered, strict=True)]

    def _forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            seen = self.graph(images.contiguous(memory_format=torch.channels_last))
            return [result.float() for result in seen]


class CompiledEngine(TorchEngine):
    """Compiled by torch.compile, on the CPU with the weights frozen into the code (Ansel et al. 2024, ASPLOS)."""

    fixed = True  # another number of images would be compiled anew
    repaid = 900

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        super().__init__(network, device)
        self.batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        options: dict[str, Any] | None = {"freezing": True} if device.type == "cpu" else None
        self.graph = torch.compile(self.graph, fullgraph=True, dynamic=False, options=options)
