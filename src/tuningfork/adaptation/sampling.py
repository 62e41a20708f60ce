"""What a network makes of labelled galaxies: its features, and for each head what goes into its last layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tuningfork.adaptation.correction import Sample
from tuningfork.engines.device import choose_device
from tuningfork.models import GalaxyModel
from tuningfork.packs import Pack
from tuningfork.progress import progress_bar
from tuningfork.schemas import Schema

BATCH = 128


@dataclass(frozen=True)
class Seen:
    """Features (N, F) of galaxies, and by schema name the inputs (S, N, H) and outputs (S, N, K) of the last layers."""

    features: np.ndarray
    inputs: dict[str, torch.Tensor]
    raw: dict[str, torch.Tensor]

    def sample(self, name: str, targets: np.ndarray, temperature: float) -> tuple[Sample, np.ndarray]:
        """Of the galaxies with a label, in double precision, and their rows."""
        rows = np.flatnonzero(np.isfinite(targets).any(axis=1))
        some = torch.from_numpy(rows)
        inputs, raw = (values[:, some].double() for values in (self.inputs[name], self.raw[name] / temperature))
        return Sample(inputs, raw, torch.from_numpy(targets[rows])), rows


def last_layer(network: GalaxyModel, name: str) -> torch.nn.Linear:
    """The last layer of a head."""
    layer = network.head(name).layers[-1]
    if not isinstance(layer, torch.nn.Linear):
        raise TypeError(f"the last layer of the head of {name!r} is a {type(layer).__name__}")
    return layer


def look(network: GalaxyModel, pack: Pack, rows: np.ndarray, schemas: Sequence[Schema], views: int) -> Seen:
    """Look at rows of a pack from several views."""
    device = choose_device("auto")
    network.to(device)
    network.engine = None  # it would not say what goes into a layer
    names = [schema.name for schema in schemas]
    features: list[torch.Tensor] = []
    inputs: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    raw: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    with torch.inference_mode(), progress_bar("look", len(rows)) as advance:
        for part in np.array_split(rows, -(-len(rows) // BATCH)):
            seen: dict[str, list[torch.Tensor]] = {name: [] for name in names}
            hooks = [_recorded(last_layer(network, name), seen[name]) for name in names]
            found, outputs = network.outputs_of_views(torch.from_numpy(pack.pixels[part]).to(device), views)
            for hook in hooks:
                hook.remove()
            features.append(found.cpu())
            for name in names:
                inputs[name].append(torch.stack(seen[name]).cpu())
                raw[name].append(outputs[name].cpu())
            advance(len(part))
    network.to("cpu")
    return Seen(torch.cat(features).numpy(), *({n: torch.cat(p, dim=1) for n, p in t.items()} for t in (inputs, raw)))


def _recorded(layer: torch.nn.Linear, seen: list[torch.Tensor]) -> torch.utils.hooks.RemovableHandle:
    """Keep what goes into a layer."""

    def record(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen.append(given[0])

    return layer.register_forward_pre_hook(record)
