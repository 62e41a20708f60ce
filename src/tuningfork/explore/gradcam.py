"""Where the evidence for an answer is, on a galaxy: Grad-CAM, when it is asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tuningfork.explore.galaxy_images import Images
from tuningfork.explore.pictures import png
from tuningfork.models import read_manifest

if TYPE_CHECKING:
    from tuningfork.models import GalaxyModel, Model


@dataclass(frozen=True)
class Explained:
    """A model that explains its answers; it is loaded when it is first asked.

    Parameters
    ----------
    name
        A model folder, or the name of a bundled model.
    """

    name: str
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    @staticmethod
    def of(name: str) -> Explained:
        """A model by its name or folder.

        Raises
        ------
        ModelError
            If there is none.
        """
        read_manifest(name)
        return Explained(name)

    @cached_property
    def model(self) -> Model:
        """The model itself."""
        from tuningfork.models import load_model

        return load_model(self.name)

    @cached_property
    def network(self) -> GalaxyModel:
        """Its network; of an ensemble, the first member."""
        return self.model.members[0]

    def gradcam(self, images: Images, row: int, answer: str) -> bytes:
        """The evidence for an answer in a galaxy's image, drawn on it, as a PNG of what the network sees.

        Raises
        ------
        ImageError
            If the image can't be read.
        ModelError
            If the model has no such answer, or its encoder has no maps.
        """
        from tuningfork.explain import gradcam
        from tuningfork.explain.features import network_view

        with self._lock:
            network = self.network
            pixels = images.pixels(row, network.spec.geometry, network.spec.trained)[None]
            heat = gradcam(network, pixels, answer)[0]
            image = network_view(network, pixels)[0].permute(1, 2, 0).numpy()
        return png(_drawn(image, heat))


def _drawn(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The evidence in orange on the galaxy in grey, (size, size, 3) uint8."""
    from tuningfork.explain.figures import FOR

    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    colours = FOR(heat)
    mixed = grey * (1 - colours[:, :, 3:]) + colours[:, :, :3] * colours[:, :, 3:]
    return np.asarray(np.rint(255 * np.clip(mixed, 0, 1)), np.uint8)
