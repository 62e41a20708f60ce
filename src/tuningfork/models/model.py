"""A galaxy model: pack pixels in, the answers of every head out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tuningfork.errors import ModelError
from tuningfork.images import Geometry, Reading
from tuningfork.models.bounds import LARGEST_MAPS
from tuningfork.models.encoders import build_encoder
from tuningfork.models.heads import Head, HeadSpec, build_head, of_views
from tuningfork.models.locator import Locator, Places
from tuningfork.models.view import View, warp
from tuningfork.models.views import sides
from tuningfork.schemas import Schema, schema_from_dict, schema_to_dict
from tuningfork.uncertainty import Uncertainty

GALAXIES = 64  # looked at together on a CPU: their images are held at once; engines take as many, or fewer
Outputs = tuple[torch.Tensor, dict[str, torch.Tensor]]


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model, weights apart.

    `mean` and `std` are one number a channel, in 0 to 1; `reading` is how the images that it was trained on were read;
    `located`: each galaxy is found in its frame first.
    """

    encoder: str
    options: dict[str, Any]
    geometry: Geometry
    view: View
    mean: tuple[float, ...]
    std: tuple[float, ...]
    heads: tuple[HeadSpec, ...]
    schemas: tuple[Schema, ...]
    reading: Reading = Reading()
    located: bool = False

    @property
    def trained(self) -> Reading:
        """How images were read in training, and how much of their square the model looks at."""
        looked = 1.0 if self.located else self.view.field / self.geometry.field
        return replace(self.reading, looked=looked, located=self.located)

    @property
    def part(self) -> str:
        """Which part of a frame it sees, in words."""
        return (
            "the galaxy, which it looks for in the frame,"
            if self.located
            else f"the central {self.view.field:g} of the frame"
        )

    def as_dict(self) -> dict[str, Any]:
        """The part of a manifest from which the model can be built again."""
        return {
            "encoder": {"name": self.encoder, "options": self.options},
            "geometry": self.geometry.as_dict(),
            "images": self.reading.as_dict(),
            "input": asdict(self.view)
            | {"mean": list(self.mean), "std": list(self.std)}
            | ({"located": True} if self.located else {}),
            "heads": [
                {
                    "spec": head.model_dump(mode="json", by_alias=True, exclude={"teacher"}),  # the recipe tells of it
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
            reading=Reading.from_dict(manifest["images"]) if manifest.get("images") else Reading(),
            located=bool(view.get("located", False)),
        )


@dataclass(frozen=True)
class Inference:
    """What a model makes of N galaxies, from all the views it was given.

    `features` is (N, F); the others, by schema name, are (N, K): `answers`, the joint answer; `expected`, the
    expected value of answers that go in steps, and else the answers; `spread`, the epistemic spread: the standard
    deviation of the answer between members and views, empty where there is one of them only.
    """

    features: torch.Tensor
    answers: dict[str, torch.Tensor]
    expected: dict[str, torch.Tensor]
    spread: dict[str, torch.Tensor]
    places: Places | None = None

    def first(self, n: int) -> Inference:
        """The same of the first `n` galaxies."""
        answers, expected, spread = (
            {name: values[:n] for name, values in part.items()} for part in (self.answers, self.expected, self.spread)
        )
        return Inference(
            self.features[:n], answers, expected, spread, self.places.first(n) if self.places is not None else None
        )


class Model(nn.Module, ABC):
    """What answers for galaxies: one network, or several that are asked together.

    `spec` tells the geometry of the pixels it takes and what it answers. `uncertainty` is what was measured of the
    model on galaxies it was not trained on, or None.
    """

    spec: ModelSpec

    def __init__(self) -> None:
        super().__init__()
        self.uncertainty: Uncertainty | None = None

    @property
    def schemas(self) -> Sequence[Schema]:
        """The schemas the model answers, one a head."""
        return self.spec.schemas

    @property
    @abstractmethod
    def members(self) -> Sequence[GalaxyModel]:
        """The networks that are asked."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """How many features a galaxy has."""

    def places(self, pixels: torch.Tensor) -> Places | None:
        """Where the galaxies of pack pixels (N, H, W, C) are, and how wide their frames; None: it does not look."""
        return self.members[0].places(pixels)

    def seen(self, pixels: torch.Tensor, places: Places | None = None) -> np.ndarray:
        """The part of pack pixels (N, H, W, C) uint8 that it could see: all, or that around the galaxy it looks for."""
        return self.members[0].seen(pixels, places)

    @abstractmethod
    def outputs_of_views(self, pixels: torch.Tensor, views: int, places: Places | None = None) -> Outputs:
        """What is seen of pack pixels (N, H, W, C) uint8 from `views` views; `places`, if they are known already.

        Returns
        -------
        tuple
            Features (N, F), the mean over the views; raw outputs (S, N, K) of each head, by schema name, for every
            member and every view that differs to it.

        Raises
        ------
        ModelError
            If there is no such number of views.
        """

    def head(self, schema: str) -> Head:
        """The head that makes answers to a schema of raw outputs; those of all members do it alike."""
        return self.members[0].head(schema)

    def answers(self, raw: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The answers of every head, each (N, len(schema.prediction_columns)) float32; probabilities calibrated."""
        return {name: self.head(name).answers(value) for name, value in self._tempered(raw).items()}

    def expected_answers(self, raw: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As `answers`, of every head as its `expected_answers`: for explanations."""
        return {name: self.head(name).expected_answers(value) for name, value in self._tempered(raw).items()}

    def _tempered(self, raw: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        warmth = self.uncertainty.temperatures if self.uncertainty else {}
        return {name: value / warmth.get(name, 1.0) for name, value in raw.items()}

    def infer(self, pixels: torch.Tensor, views: int = 1) -> Inference:
        """What the model makes of pack pixels (N, H, W, C) uint8 in the model's geometry from `views` views.

        Raises
        ------
        ModelError
            If there is no such number of views, or an answer or a feature is no finite number.
        """
        found = self.infer_unchecked(pixels, views)
        if not all(bool(values.isfinite().all()) for values in (found.features, *found.answers.values())):
            raise ModelError(
                "what the model makes of some images is no finite number: its weights, or the engine it runs in, are "
                "broken; say --engine torch, get the model again, or train it again"
            )
        return found

    @torch.inference_mode()
    def infer_unchecked(self, pixels: torch.Tensor, views: int = 1) -> Inference:
        """As `infer`, whatever the answers are: to judge an engine by them.

        On a CPU the networks are given as many at a time as they look at together (`at_once`); what they say of them is
        worked out for all together.

        Raises
        ------
        ModelError
            If there is no such number of views.
        """
        on_cpu = pixels.device.type == "cpu"
        at_once = min(member.at_once for member in self.members) if on_cpu else len(pixels)
        found = [(part, self.places(part)) for part in pixels.split(at_once)]
        parts = [self.outputs_of_views(part, views, places) for part, places in found]
        features = torch.cat([part for part, _ in parts])
        raw = {name: torch.cat([part[name] for _, part in parts], dim=1) for name in parts[0][1]}
        answers, expected, spread = {}, {}, {}
        for name, by_view in self._tempered(raw).items():
            head = self.head(name)
            answers[name] = head.joint_answers(by_view)
            expected[name] = of_views(head.expected_answers, by_view).mean(dim=0)
            if len(by_view) > 1:
                spread[name] = of_views(head.answers, by_view).std(dim=0, correction=0)
        return Inference(features, answers, expected, spread, Places.joined([places for _, places in found]))

    def predict(self, pixels: torch.Tensor, views: int = 1) -> dict[str, torch.Tensor]:
        """The answers for pack pixels (N, H, W, C) uint8 in the model's geometry, averaged over `views` views."""
        return self.infer(pixels, views).answers


class GalaxyModel(Model):
    """An encoder and its heads, with the preprocessing that belongs to them.

    `heads` is keyed by schema name. Raw outputs and answers are dictionaries with the same keys. `engine` does what
    `outputs` does, quicker; where there is one, galaxies are looked at through it. An `encoder` that knows something
    already may be given; it is what the spec describes.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, spec: ModelSpec, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.engine: Callable[[torch.Tensor], Outputs] | None = None
        channels = spec.geometry.channels
        if encoder is None:
            encoder = build_encoder(spec.encoder, channels=channels, size=spec.view.size, options=spec.options)
        self.encoder = encoder
        self.heads = nn.ModuleDict(
            {
                schema.name: build_head(self.n_features, schema, head)
                for head, schema in zip(spec.heads, spec.schemas, strict=True)
            }
        )
        self.locator = Locator(channels) if spec.located else None
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, channels, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, channels, 1, 1), persistent=False)

    def with_heads(self, heads: Sequence[HeadSpec], schemas: Sequence[Schema]) -> GalaxyModel:
        """The same encoder, and what looks for galaxies, with heads that know nothing yet."""
        made = GalaxyModel(replace(self.spec, heads=tuple(heads), schemas=tuple(schemas)), self.encoder)
        made.locator = self.locator
        return made

    @property
    def members(self) -> Sequence[GalaxyModel]:
        """Itself alone."""
        return (self,)

    @property
    def at_once(self) -> int:
        """How many galaxies it looks at together on a CPU, at most: maps of more would fill the memory."""
        return max(1, min(GALAXIES, LARGEST_MAPS // max(1, int(getattr(self.encoder, "largest_map", 1)))))

    @property
    def n_features(self) -> int:
        """How many features the encoder makes of a galaxy."""
        return int(self.encoder.n_features)  # type: ignore[arg-type]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of images (N, C, size, size) in 0 to 1, already brought to the view."""
        features: torch.Tensor = self.encoder((images - self.mean) / self.std)
        return features

    def outputs(self, images: torch.Tensor) -> Outputs:
        """Features (N, F), and raw outputs (N, K) of every head, of images as of `features`."""
        features = self.features(images)
        return features, {name: head(features) for name, head in self.heads.items()}

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Raw outputs of every head for images (N, C, size, size) in 0 to 1, already brought to the view."""
        return self.outputs(images)[1]

    def head(self, schema: str) -> Head:
        """The head that answers a schema."""
        head = self.heads[schema]
        if not isinstance(head, Head):
            raise TypeError(f"the head of {schema!r} is a {type(head).__name__}")
        return head

    def places(self, pixels: torch.Tensor) -> Places | None:
        """As of any model."""
        return self.locator.locate(pixels, self.spec.geometry) if self.locator is not None else None

    def seen(self, pixels: torch.Tensor, places: Places | None = None) -> np.ndarray:
        """As of any model: (N, S, S, C) uint8, in pixels as fine as those of the pack."""
        geometry = self.spec.geometry
        places = places or self.places(pixels)
        if places is None:
            return pixels.cpu().numpy()
        view = View(self.spec.view.field, round(self.spec.view.field / geometry.field * geometry.size))
        found = []
        for part, each in zip(pixels.split(self.at_once), places.split(self.at_once), strict=True):
            images = warp(part, each.warps(view, geometry), view, geometry, beyond="sky")
            found.append(images.mul_(255).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu())
        return torch.cat(found).contiguous().numpy()

    def images(self, pixels: torch.Tensor, views: int = 1, places: Places | None = None) -> Iterator[torch.Tensor]:
        """Images (N, C, size, size) of pack pixels, from each side that differs to the encoder."""
        invariant = bool(getattr(self.encoder, "invariant", False))
        view, geometry, found = self.spec.view, self.spec.geometry, places or self.places(pixels)
        warps = found.warps(view, geometry) if found else None
        return sides(pixels, view, geometry, views, invariant=invariant, warps=warps)

    def outputs_of_views(self, pixels: torch.Tensor, views: int, places: Places | None = None) -> Outputs:
        """Features and raw outputs, one for each view that differs to the encoder."""
        run = self.engine or self.outputs
        features, raw = zip(*(run(images) for images in self.images(pixels, views, places)), strict=True)
        return torch.stack(features).mean(dim=0), {name: torch.stack([one[name] for one in raw]) for name in self.heads}


class Ensemble(Model):
    """Several networks trained apart, whose answers are averaged (Lakshminarayanan et al. 2017, arXiv:1612.01474).

    They share the geometry of the pixels and what they answer; how they look at the pixels, and what they make of
    them, may differ. Where they disagree they don't know. The features are those of the first: side by side, the many
    of a wide encoder would drown those of a small one.
    """

    def __init__(self, members: Sequence[GalaxyModel]) -> None:
        super().__init__()
        self._members = nn.ModuleList(members)
        self.spec = members[0].spec
        for number, member in enumerate(members[1:], start=2):
            if member.spec.geometry != self.spec.geometry:
                raise ModelError(
                    f"member {number} takes {member.spec.geometry}, the first {self.spec.geometry}; "
                    "train all of them on packs of one field and as many channels"
                )
            if _reading(member.spec) != _reading(self.spec):
                raise ModelError(f"member {number} reads images in another way than the first; train all alike")
            if member.spec.located != self.spec.located:
                raise ModelError(
                    f"member {number} {_looks(member.spec)}, the first {_looks(self.spec)}; take members that do alike"
                )
            if _answers(member.spec) != _answers(self.spec):
                raise ModelError(f"member {number} has other heads than the first; train all of them for the same")

    @property
    def members(self) -> Sequence[GalaxyModel]:
        """The networks."""
        return list(self._members)  # type: ignore[arg-type]

    @property
    def n_features(self) -> int:
        """Those of the first member."""
        return self.members[0].n_features

    def outputs_of_views(self, pixels: torch.Tensor, views: int, places: Places | None = None) -> Outputs:
        """The features of the first member, and raw outputs for every member and view.

        Every member has as many: those of one that needs fewer looks are repeated, so that all count alike. The first
        looks for the galaxies, for all of them.
        """
        places = places or self.places(pixels)
        features, raw = zip(*(member.outputs_of_views(pixels, views, places) for member in self.members), strict=True)
        outputs = {}
        for name in raw[0]:
            most = max(len(part[name]) for part in raw)
            outputs[name] = torch.cat([part[name].repeat(most // len(part[name]), 1, 1) for part in raw])
        return features[0], outputs


def _reading(spec: ModelSpec) -> tuple[object, ...]:
    """As what images are read, and which part of them; how wide they mostly were may differ."""
    return spec.reading.assumed, spec.reading.field


def _looks(spec: ModelSpec) -> str:
    return "looks for the galaxy in its frame" if spec.located else "looks at the middle of the frame"


def _answers(spec: ModelSpec) -> list[tuple[dict[str, Any], str, bool]]:
    """What the heads answer, and how raw outputs become answers: those of an ordinal loss are steps."""
    pairs = zip(spec.schemas, spec.heads, strict=True)
    return [(schema_to_dict(schema), head.kind, head.loss == "ordinal") for schema, head in pairs]
