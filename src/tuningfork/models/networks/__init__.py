"""The networks written here: the seed reports' and our own. Everything else comes from timm."""

from tuningfork.models.networks.conv_dense import ConvDense
from tuningfork.models.networks.equivariant import EquivariantCNN
from tuningfork.models.networks.plain import PlainCNN

__all__ = ["ConvDense", "EquivariantCNN", "PlainCNN"]
