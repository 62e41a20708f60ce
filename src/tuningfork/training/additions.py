"""What a program adds to a recipe: callbacks, loggers, an augmentation of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from tuningfork.errors import RecipeError

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class Additions:
    """Beside a recipe.

    Parameters
    ----------
    callbacks, loggers
        Of Lightning, after our own.
    augmentation
        Training images (N, C, size, size) float32 in 0 to 1, as the recipe's augmentation leaves them, to images of the
        same shape. The random numbers of torch are seeded for each batch, so that a resumed run draws the same.
    """

    callbacks: Sequence[Callback] = ()
    loggers: Sequence[Logger] = ()
    augmentation: Callable[[torch.Tensor], torch.Tensor] | None = None

    def fingerprint(self) -> dict[str, str]:
        """What of them fixes the model: the name of the augmentation."""
        if self.augmentation is None:
            return {}
        of = self.augmentation if hasattr(self.augmentation, "__qualname__") else type(self.augmentation)
        return {"augmentation": f"{of.__module__}.{of.__qualname__}"}

    def augmented(self, images: torch.Tensor) -> torch.Tensor:
        """What the augmentation makes of images; without one they are as they were.

        Raises
        ------
        RecipeError
            If it makes something else than images of the same shape and type.
        """
        if self.augmentation is None:
            return images
        wanted = _kind(images)
        made = self.augmentation(images)
        if _kind(made) != wanted:
            raise RecipeError(f"the augmentation gave {_kind(made)} for {wanted}; let it give images as they come")
        return made


def _kind(images: Any) -> str:
    """Type and shape in words."""
    if not isinstance(images, torch.Tensor):
        return f"a {type(images).__name__}"
    return f"images {tuple(images.shape)} {str(images.dtype).removeprefix('torch.')}"


NONE = Additions()
