"""What a notebook or a script uses: objects in memory, files when asked for. The command calls the same."""

from tuningfork.api.model import TrainedModel, load_model
from tuningfork.api.packing import pack
from tuningfork.api.training import train

__all__ = ["TrainedModel", "load_model", "pack", "train"]
