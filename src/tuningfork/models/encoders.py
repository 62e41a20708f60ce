"""Encoders by name: the networks written here, and any of timm's (Hugging Face hub encoders among them)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from tuningfork.errors import ModelError
from tuningfork.models.hub import hub
from tuningfork.models.networks import ConvDense, EquivariantCNN, PlainCNN
from tuningfork.models.weights import PACKAGED, load_packaged, packaged_weights

log = logging.getLogger(__name__)

OWN: dict[str, Callable[..., nn.Module]] = {"conv-dense": ConvDense, "equivariant": EquivariantCNN, "plain": PlainCNN}


def own_encoders() -> list[str]:
    """The names of the networks written here."""
    return sorted(OWN)


def register_encoder(name: str, build: Callable[..., nn.Module]) -> None:
    """Let recipes use an encoder of your own as ``encoder.name = name``.

    Parameters
    ----------
    name : str
        Its name. A program that loads a model with this encoder registers it first.
    build : callable
        ``build(channels, **options)`` gives a module that turns images (N, channels, size, size) into features (N, F);
        `options` are those of the recipe's ``encoder.options``.

    Raises
    ------
    ModelError
        If another encoder of ours has this name.

    Examples
    --------
    >>> from torch import nn
    >>> import tuningfork as tf
    >>> def build(channels, width=8):
    ...     return nn.Sequential(nn.Conv2d(channels, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> tf.register_encoder("tiny", build)
    """
    known = OWN.get(name, build)
    if known is not build and getattr(known, "__qualname__", "") != getattr(build, "__qualname__", ""):
        raise ModelError(f"there is an encoder called {name!r} already; choose another name")
    OWN[name] = build


def build_encoder(
    name: str, *, channels: int, size: int, pretrained: bool = False, options: dict[str, Any] | None = None
) -> nn.Module:
    """Build an encoder: images (N, channels, size, size) to features (N, encoder.n_features).

    Parameters
    ----------
    name
        One of `own_encoders()`, or a timm name (``resnet18``, ``convnext_nano.in12k``), or a hub encoder
        (``hf_hub:mwalmsley/zoobot-encoder-convnext_nano``).
    pretrained
        Take the weights of an installed package (`packaged_weights`) where there are some, else download timm's.
    options
        Keyword arguments of the network, such as ``{"width": 32}``.

    Raises
    ------
    ModelError
        If the name or an option is unknown, the pretrained weights can't be had, or the images are too small for it.
    """
    options = dict(options or {})
    if name in OWN:
        if pretrained:
            raise ModelError(f"encoder {name!r} has no pretrained weights; set pretrained = false")
        try:
            encoder = OWN[name](channels, **options)
        except TypeError as error:
            raise ModelError(f"encoder {name!r} does not take these options {options}: {error}") from error
    else:
        encoder = _timm_encoder(name, channels, size, pretrained, options)
    return _initialised(encoder, name, channels, size)


def _timm_encoder(name: str, channels: int, size: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    import timm

    known = [*timm.list_models(), *timm.list_pretrained(), *OWN]
    if ":" not in name and name not in known and name.split(".", maxsplit=1)[0] not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see timm.list_models()"
        raise ModelError(
            f"no encoder named {name!r}; {hint}; one of your own is registered first (tuningfork.register_encoder)"
        )
    packaged = packaged_weights(name) if pretrained else None
    settings: dict[str, Any] = {
        "pretrained": pretrained and packaged is None,
        "in_chans": channels,
        "num_classes": 0,
    } | options
    with hub(needed=settings["pretrained"] or ":" in name) as unheard:
        try:
            try:  # networks whose layout depends on the image size must be told it; the others refuse to be
                encoder: nn.Module = timm.create_model(name, **{"img_size": size} | settings)
            except TypeError:
                encoder = timm.create_model(name, **settings)
        except (OSError, RuntimeError, ValueError) as error:
            reason = unheard or str(error).splitlines()[0]
            if not settings["pretrained"] and ":" not in name:
                raise ModelError(f"encoder {name!r} can't be built: {error}") from error
            raise ModelError(
                f"the pretrained weights of {name!r} can't be had ({reason}). With a network they are downloaded once "
                "and kept; on a machine without, copy the cache folder of Hugging Face (HF_HOME) from one that has it, "
                "or set encoder.pretrained = false; the networks written here (tuningfork/small, serrano/crop, "
                f"khunger/cnn, deep-galaxies/small) need none, nor do {' and '.join(PACKAGED)} with the extra `weights`"
            ) from error
        except TypeError as error:
            raise ModelError(f"encoder {name!r} does not take these options {options}: {error}") from error
    if packaged is not None:
        load_packaged(encoder, packaged)
        log.info("encoder %r starts from the weights of %s %s", name, packaged.package, packaged.version)
    return encoder


def pretrained_colours(name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation of the colours that an encoder's pretrained weights were trained with, or None."""
    import timm

    packaged = packaged_weights(name)
    if packaged is not None:
        return packaged.mean, packaged.std
    known = timm.models.get_pretrained_cfg(name, allow_unregistered=True) if ":" not in name else None
    return (tuple(known.mean), tuple(known.std)) if known is not None else None


def _initialised(encoder: nn.Module, name: str, channels: int, size: int) -> nn.Module:
    """Run one blank image through: lazy layers take their shape, and the true number of features is measured."""
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            features = encoder(torch.zeros(1, channels, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"encoder {name!r} can't take images of {size} px; use another size ({reason})") from error
    if features.ndim != 2:
        raise ModelError(f"encoder {name!r} gives features of shape {tuple(features.shape)}, not (N, F)")
    encoder.n_features = features.shape[1]
    return encoder.train(training)
