"""What a notebook or a script uses: objects in memory, files when asked for. The command calls the same.

Each name is imported when it is first asked for: a prediction need not wait for what training imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.api.model import TrainedModel, load_model
    from tuningfork.api.packing import pack
    from tuningfork.api.training import train

_HOMES = {"TrainedModel": "model", "load_model": "model", "pack": "packing", "train": "training"}

__all__ = ["TrainedModel", "load_model", "pack", "train"]

import_when_asked(__name__, _HOMES)
