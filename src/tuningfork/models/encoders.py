"""Encoders by name: the networks written here, and any of timm's (Hugging Face hub encoders among them)."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from tuningfork.errors import ModelError, TuningforkError, one_line
from tuningfork.models.bounds import LARGEST_MAP, Bounded, largest_map
from tuningfork.models.hub import hub
from tuningfork.models.networks import ConvDense, EquivariantCNN, PlainCNN
from tuningfork.models.options import check_options
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
        `options` are those of the recipe's ``encoder.options``: numbers, true or false, and lists of these.

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

    Nothing is read from another file or from the network unless it is to be `pretrained`.

    Parameters
    ----------
    name
        One of `own_encoders()`, or a timm name (``resnet18``, ``convnext_nano.in12k``), or, pretrained, a hub encoder
        (``hf_hub:mwalmsley/zoobot-encoder-convnext_nano``).
    pretrained
        Take the weights of an installed package (`packaged_weights`) where there are some, else download timm's.
    options
        Options of the network: numbers, such as ``{"width": 32}`` (see `models.options`).

    Raises
    ------
    ModelError
        If the name or an option is unknown, the network would be too large, the pretrained weights can't be had, or
        the images are too small for it.
    """
    options = dict(options or {})
    check_options(name, options, of_timm=name not in OWN)
    if name in OWN and pretrained:
        raise ModelError(f"encoder {name!r} has no pretrained weights; set pretrained = false")
    make = _own_encoder if name in OWN else _pretrained_encoder if pretrained else _timm_encoder
    with Bounded(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Initializing zero-element")  # what follows is an error
        return _initialised(make(name, channels, size, options), name, channels, size)


def architecture(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The network that a hub encoder is, and its options, as the hub describes it; any other is what it is called.

    Raises
    ------
    ModelError
        If the hub can't be asked, or describes a network that would be given more than numbers.
    """
    if not _is_of_hub(name):
        return name, options
    from timm.models import load_model_config_from_hf

    with hub(needed=True) as unheard:
        try:
            _, network, arguments = load_model_config_from_hf(name.partition(":")[2])
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise _no_weights(name, unheard or one_line(error)) from error
    settings = {**(arguments or {}), **options}
    check_options(name, settings, of_timm=True)
    return network, settings


def _own_encoder(name: str, channels: int, size: int, options: dict[str, Any]) -> nn.Module:
    try:
        return OWN[name](channels, **options)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise ModelError(f"encoder {name!r} does not take these options {options}: {one_line(error)}") from error


def _timm_encoder(name: str, channels: int, size: int, options: dict[str, Any]) -> nn.Module:
    _check_name(name)
    with hub(needed=False):
        try:
            return _created(name, channels, size, options)
        except TypeError as error:
            raise ModelError(f"encoder {name!r} does not take these options {options}: {one_line(error)}") from error
        except TuningforkError:
            raise
        except Exception as error:  # whatever the networks of others raise at numbers that don't fit together
            raise ModelError(f"encoder {name!r} can't be built: {one_line(error)}") from error


def _pretrained_encoder(name: str, channels: int, size: int, options: dict[str, Any]) -> nn.Module:
    packaged = packaged_weights(name)
    network, settings = architecture(name, options)
    encoder = _timm_encoder(network, channels, size, settings)
    if packaged is not None:
        load_packaged(encoder, packaged)
        log.info("encoder %r starts from the weights of %s %s", name, packaged.package, packaged.version)
        return encoder
    with hub(needed=True) as unheard:
        try:
            weights = _created(name, channels, size, options, pretrained=True).state_dict()
        except (OSError, RuntimeError, ValueError) as error:
            raise _no_weights(name, unheard or one_line(error)) from error
    encoder.load_state_dict(weights)
    return encoder


def _created(name: str, channels: int, size: int, options: dict[str, Any], *, pretrained: bool = False) -> nn.Module:
    """A network of timm's; those whose layout depends on the image size need it, the others refuse it."""
    import timm

    settings: dict[str, Any] = {"pretrained": pretrained, "in_chans": channels, "num_classes": 0, **options}
    try:
        return timm.create_model(name, img_size=size, **settings)
    except TypeError:
        return timm.create_model(name, **settings)


def _check_name(name: str) -> None:
    """See that a network is one of timm's own: no other file, and no network, is asked what it is."""
    import timm

    if _is_of_hub(name):
        raise ModelError(
            f"encoder {name!r} is described on the Hugging Face hub, which is asked only in training and only where "
            "pretrained weights are wanted: set encoder.pretrained = true, or name a network of timm's"
        )
    known = [*timm.list_models(), *timm.list_pretrained(), *OWN]
    if name not in known and (re.search(r"[/\\:]", name) or name.partition(".")[0] not in known):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see timm.list_models()"
        raise ModelError(
            f"no encoder named {name!r}; {hint}; one of your own is registered first (tuningfork.register_encoder)"
        )


def _is_of_hub(name: str) -> bool:
    return name.startswith(("hf_hub:", "hf-hub:"))


def _no_weights(name: str, reason: str) -> ModelError:
    return ModelError(
        f"the pretrained weights of {name!r} can't be had ({reason}). With a network they are downloaded once and "
        "kept; on a machine without, copy the cache folder of Hugging Face (HF_HOME) from one that has it, or set "
        "encoder.pretrained = false; the networks written here (tuningfork/small, serrano/crop, khunger/cnn, "
        f"deep-galaxies/small) need none, nor do {' and '.join(PACKAGED)} with the extra `weights`"
    )


def pretrained_colours(name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation of the colours that an encoder's pretrained weights were trained with, or None."""
    import timm

    packaged = packaged_weights(name)
    if packaged is not None:
        return packaged.mean, packaged.std
    known = timm.models.get_pretrained_cfg(name, allow_unregistered=True) if ":" not in name else None
    return (tuple(known.mean), tuple(known.std)) if known is not None else None


def _initialised(encoder: nn.Module, name: str, channels: int, size: int) -> nn.Module:
    """Run one blank image through: lazy layers take their shape, and the true number of features is measured.

    Before that, the size of its maps is known, and no memory is taken for maps that are too large.
    """
    training = encoder.training
    encoder.eval()
    try:
        largest = largest_map(encoder, channels, size)
        if largest > LARGEST_MAP:
            raise ModelError(
                f"encoder {name!r} makes maps of {largest:,} numbers of an image of {size} px; at most "
                f"{LARGEST_MAP:,} are taken: choose smaller options, or a smaller size"
            )
        with torch.no_grad():
            features = encoder(torch.zeros(1, channels, size, size))
    except TuningforkError:
        raise
    except Exception as error:  # whatever the networks of others raise
        raise ModelError(
            f"encoder {name!r} can't take images of {size} px; use another size ({one_line(error)})"
        ) from error
    if features.ndim != 2:
        raise ModelError(f"encoder {name!r} gives features of shape {tuple(features.shape)}, not (N, F)")
    encoder.n_features = features.shape[1]
    encoder.largest_map = largest  # type: ignore[assignment]
    return encoder.train(training)
