"""A galaxy model: pack pixels in, the answers of every head out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from tuningfork.images import Geometry
from tuningfork.models.encoders import build_encoder
from tuningfork.models.heads import Head, HeadSpec, build_head
from tuningfork.models.uncertainty import Uncertainty
from tuningfork.models.view import View, crop
from tuningfork.models.views import exact_views
from tuningfork.schemas import Schema, schema_from_dict, schema_to_dict


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model, weights apart. `mean` and `std` are one number a channel, in 0 to 1."""

    encoder: str
    options: dict[str, Any]
    geometry: Geometry
    view: View
    mean: tuple[float, ...]
    std: tuple[float, ...]
    heads: tuple[HeadSpec, ...]
    schemas: tuple[Schema, ...]

    def as_dict(self) -> dict[str, Any]:
        """The part of a manifest from which the model can be built again."""
        return {
            "encoder": {"name": self.encoder, "options": self.options},
            "geometry": self.geometry.as_dict(),
            "input": asdict(self.view) | {"mean": list(self.mean), "std": list(self.std)},
            "heads": [
                {
                    "spec": head.model_dump(mode="json", by_alias=True),
                    "kind": head.kind,
                    "schema": schema_to_dict(schema),
                }
                for head, schema in zip(self.heads, self.schemas, strict=True)
            ],
        }

    @staticmethod
    def from_dict(manifest: dict[str, Any]) -> ModelSpec:
        """The spec in a manifest written by `as_dict`."""
        view = manifest["input"]
        return ModelSpec(
            encoder=manifest["encoder"]["name"],
            options=manifest["encoder"]["options"],
            geometry=Geometry.from_dict(manifest["geometry"]),
            view=View(view["field"], view["size"]),
            mean=tuple(view["mean"]),
            std=tuple(view["std"]),
            heads=tuple(HeadSpec.model_validate(head["spec"]) for head in manifest["heads"]),
            schemas=tuple(schema_from_dict(head["schema"], "model.json") for head in manifest["heads"]),
        )


@dataclass(frozen=True)
class Look:
    """What a model makes of N galaxies, averaged over the views it was given.

    `features` is (N, F); `answers` and `spread`, by schema name, are (N, K): the mean answer, and the standard
    deviation of the answer between views, which a model that knew would not have.
    """

    features: torch.Tensor
    answers: dict[str, torch.Tensor]
    spread: dict[str, torch.Tensor]

    def first(self, n: int) -> Look:
        """The same of the first `n` galaxies."""
        answers, spread = ({name: values[:n] for name, values in part.items()} for part in (self.answers, self.spread))
        return Look(self.features[:n], answers, spread)


class GalaxyModel(nn.Module):
    """An encoder and its heads, with the preprocessing that belongs to them.

    `heads` is keyed by schema name. Raw outputs and answers are dictionaries with the same keys. `uncertainty` is what
    was measured of the model on galaxies it was not trained on, or None.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, spec: ModelSpec, *, pretrained: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.uncertainty: Uncertainty | None = None
        channels = spec.geometry.channels
        self.encoder = build_encoder(
            spec.encoder, channels=channels, size=spec.view.size, pretrained=pretrained, options=spec.options
        )
        features = int(self.encoder.n_features)  # type: ignore[arg-type]
        self.heads = nn.ModuleDict(
            {
                schema.name: build_head(features, schema, head)
                for head, schema in zip(spec.heads, spec.schemas, strict=True)
            }
        )
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, channels, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, channels, 1, 1), persistent=False)

    @property
    def schemas(self) -> Sequence[Schema]:
        """The schemas the model answers, one a head."""
        return self.spec.schemas

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of images (N, C, size, size) in 0 to 1, already brought to the view."""
        return self.encoder((images - self.mean) / self.std)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Raw outputs of every head for images (N, C, size, size) in 0 to 1, already brought to the view."""
        features = self.features(images)
        return {name: head(features) for name, head in self.heads.items()}

    def head(self, schema: str) -> Head:
        """The head that answers a schema."""
        head = self.heads[schema]
        if not isinstance(head, Head):
            raise TypeError(f"the head of {schema!r} is a {type(head).__name__}")
        return head

    def answers(self, raw: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The answers of every head, each (N, len(schema.prediction_columns)) float32; probabilities calibrated."""
        warmth = self.uncertainty.temperatures if self.uncertainty else {}
        return {name: self.head(name).answers(value / warmth.get(name, 1.0)) for name, value in raw.items()}

    @torch.inference_mode()
    def look(self, pixels: torch.Tensor, views: int = 1) -> Look:
        """Look at pack pixels (N, H, W, C) uint8 in the model's geometry from `views` exact sides.

        Raises
        ------
        ModelError
            If `views` is not 1, 2, 4 or 8.
        """
        images = crop(pixels, self.spec.view, self.spec.geometry)
        features, answers = [], []
        for view in exact_views(images, views):
            features.append(self.features(view))
            answers.append(self.answers({name: head(features[-1]) for name, head in self.heads.items()}))
        stacked = {name: torch.stack([seen[name] for seen in answers]) for name in self.heads}
        return Look(
            features=torch.stack(features).mean(dim=0),
            answers={name: values.mean(dim=0) for name, values in stacked.items()},
            spread={name: values.std(dim=0, correction=0) for name, values in stacked.items()},
        )

    def predict(self, pixels: torch.Tensor, views: int = 1) -> dict[str, torch.Tensor]:
        """The answers for pack pixels (N, H, W, C) uint8 in the model's geometry, averaged over `views` exact sides."""
        return self.look(pixels, views).answers
