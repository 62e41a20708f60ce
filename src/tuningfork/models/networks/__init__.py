"""The networks written here: the seed reports' and our own. Everything else comes from timm."""

from tuningfork.models.networks.plain import PlainCNN
from tuningfork.models.networks.serrano import SerranoCNN

__all__ = ["PlainCNN", "SerranoCNN"]
