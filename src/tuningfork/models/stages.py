"""The stages of an encoder, from input to output: what transfer learning freezes and releases one by one."""

from __future__ import annotations

from torch import nn


def encoder_stages(encoder: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of each stage of an encoder, from its input to its output; every parameter is in one.

    timm says what the stages of its networks are (a ResNet's stem and four groups of blocks); in the networks
    written here each layer with weights is a stage, with the normalisation that follows it.
    """
    matcher = getattr(encoder, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        groups = group_parameters(encoder, matcher(coarse=True))
        named = dict(encoder.named_parameters())
        return [[named[name] for name in groups[key]] for key in sorted(groups)]
    stages: list[list[nn.Parameter]] = []
    for module in encoder.modules():
        own = list(module.parameters(recurse=False))
        if own and (own[0].ndim > 1 or not stages):  # weights, not a normalisation's scales
            stages.append([])
        if own:
            stages[-1] += own
    return stages
