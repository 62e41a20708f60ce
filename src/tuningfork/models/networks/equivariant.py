"""A convolutional network that is equivariant to the eight quarter turns and reflections (Cohen & Welling 2016).

"Group equivariant convolutional networks", ICML 2016 (arXiv:1602.07576), the group p4m. A feature map is held in the
eight orientations of the dihedral group D4; turning the image turns each map and permutes the orientations, and an
average over both leaves features that no such turn changes. Nothing about orientation has to be learnt from examples.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

ORIENTATIONS = 8


def _turned(kernels: torch.Tensor, orientation: int) -> torch.Tensor:
    """Kernels (..., k, k) under an element of D4: 0 to 3 quarter turns, and from 4 on of the mirrored kernel."""
    mirrored = kernels.flip(-1) if orientation >= 4 else kernels
    return torch.rot90(mirrored, orientation % 4, (-2, -1))


def _composition() -> torch.Tensor:
    """Row g, column h: the orientation that element g takes h to, found by applying both to a grid."""
    grid = torch.arange(9).view(3, 3)
    known = [_turned(grid, orientation).flatten().tolist() for orientation in range(ORIENTATIONS)]
    return torch.tensor(
        [[known.index(_turned(_turned(grid, h), g).flatten().tolist()) for h in range(8)] for g in range(8)]
    )


class GroupConv(nn.Module):
    """A 3x3 convolution of maps in `inputs` channels and eight orientations to `outputs` channels and as many.

    Maps are (N, 8 * channels, H, W), the orientation first and the channel within it. With `lifting`, the input is an
    image, which has one orientation. The weights, (outputs, inputs, orientations in, 3, 3), are turned into the bank
    of an ordinary convolution.
    """

    bank_index: torch.Tensor

    def __init__(self, inputs: int, outputs: int, *, lifting: bool = False) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        taken = 1 if lifting else ORIENTATIONS
        self.weight = nn.Parameter(torch.empty(outputs, inputs, taken * 9))
        nn.init.normal_(self.weight, std=(2.0 / (inputs * taken * 9)) ** 0.5)  # He et al. 2015, as the bank sees it
        positions = torch.arange(taken * 9).view(taken, 3, 3)
        banks = []
        for g, row in enumerate(_composition()):
            turned = _turned(positions, g)
            # What reaches orientation g from h is the kernel for the inverse of g after h, turned by g.
            banks.append(turned if lifting else torch.empty_like(turned).index_copy_(0, row, turned))
        self.register_buffer("bank_index", torch.stack(banks).flatten(), persistent=False)  # (8, taken, 3, 3), flat

    def bank(self) -> torch.Tensor:
        """The weights of the ordinary convolution: (8 * outputs, taken * inputs, 3, 3)."""
        bank = self.weight.index_select(2, self.bank_index).view(self.outputs, self.inputs, ORIENTATIONS, -1, 3, 3)
        return bank.permute(2, 0, 3, 1, 4, 5).reshape(ORIENTATIONS * self.outputs, -1, 3, 3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (N, 8 * outputs, H, W), channels last in memory."""
        bank = self.bank().contiguous(memory_format=torch.channels_last)
        return functional.conv2d(maps, bank, padding=1)

    @torch.no_grad()
    def ordinary(self) -> nn.Conv2d:
        """The ordinary convolution that this one is once its weights are fixed."""
        bank = self.bank()
        convolution = nn.Conv2d(bank.shape[1], bank.shape[0], 3, padding=1, bias=False, device="meta")
        convolution.weight = nn.Parameter(bank.contiguous(memory_format=torch.channels_last))
        return convolution


class GroupNorm(nn.BatchNorm2d):
    """Batch norm with one scale, offset, mean and variance a channel for all its orientations.

    A batch in training is normalised one orientation at a time, which is several times as fast; galaxies lie at any
    angle, so the orientations differ by chance alone. What is kept, and used from then on, is the mean over them.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor
    momentum: float

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps of the same shape, (N, 8 * num_features, H, W)."""
        mean, var, scale, offset = (
            part.repeat(ORIENTATIONS) for part in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        out = functional.batch_norm(maps, mean, var, scale, offset, self.training, self.momentum, self.eps)
        if self.training:
            self.running_mean.copy_(mean.view(ORIENTATIONS, -1).mean(dim=0))
            self.running_var.copy_(var.view(ORIENTATIONS, -1).mean(dim=0))
        return out

    def ordinary(self) -> nn.BatchNorm2d:
        """The batch norm of as many ordinary channels that this one is once it is trained."""
        norm = nn.BatchNorm2d(ORIENTATIONS * self.num_features, self.eps)
        norm.load_state_dict(
            {name: kept if kept.ndim == 0 else kept.repeat(ORIENTATIONS) for name, kept in self.state_dict().items()}
        )
        return norm.to(self.weight).eval()


class EquivariantCNN(nn.Module):
    """The plain eight-layer network with group convolutions: four stages of two, max-pool between.

    The stages have `width`, 2, 4 and 8 times `width` channels in eight orientations. The features are the last stage's
    spatial averages: their mean over orientations and their largest, for what shows from one side only.
    """

    invariant = True

    def __init__(self, channels: int, width: int = 6) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = channels
        for stage, factor in enumerate((1, 2, 4, 8)):
            layers += [nn.MaxPool2d(2)] if stage else []
            for lifting in (stage == 0, False):
                layers += [GroupConv(inputs, factor * width, lifting=lifting), GroupNorm(factor * width)]
                layers += [nn.ReLU(inplace=True)]
                inputs = factor * width
        self.body = nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, 16 * width) of images (N, channels, H, W), H and W multiples of 8."""
        means = self.body(images).mean(dim=(2, 3)).unflatten(1, (ORIENTATIONS, -1))
        return torch.cat([means.mean(dim=1), means.amax(dim=1)], dim=1)
