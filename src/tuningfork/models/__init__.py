"""A model is an encoder and one head a schema; a model folder is its weights and its manifest, never a pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.models.described import (
        DEFAULT_MODEL,
        bundled_models,
        learned_from,
        model_folder,
        read_manifest,
        share_seen,
    )
    from tuningfork.models.encoders import (
        architecture,
        build_encoder,
        own_encoders,
        pretrained_colours,
        register_encoder,
    )
    from tuningfork.models.ensemble import make_ensemble
    from tuningfork.models.folder import TRAINING, load_model, load_uncalibrated, save_model, seal
    from tuningfork.models.heads import HEADS, Head, HeadSpec, build_head, register_head
    from tuningfork.models.model import Ensemble, GalaxyModel, Inference, Model, ModelSpec
    from tuningfork.models.stages import encoder_stages
    from tuningfork.models.view import View, Warps, crop, warp
    from tuningfork.models.weights import PackagedWeights, packaged_weights

_HOMES = {
    "DEFAULT_MODEL": "described",
    "Ensemble": "model",
    "GalaxyModel": "model",
    "HEADS": "heads",
    "Head": "heads",
    "HeadSpec": "heads",
    "Inference": "model",
    "Model": "model",
    "ModelSpec": "model",
    "PackagedWeights": "weights",
    "TRAINING": "folder",
    "View": "view",
    "Warps": "view",
    "architecture": "encoders",
    "build_encoder": "encoders",
    "build_head": "heads",
    "bundled_models": "described",
    "crop": "view",
    "encoder_stages": "stages",
    "load_model": "folder",
    "load_uncalibrated": "folder",
    "make_ensemble": "ensemble",
    "model_folder": "described",
    "own_encoders": "encoders",
    "packaged_weights": "weights",
    "pretrained_colours": "encoders",
    "read_manifest": "described",
    "learned_from": "described",
    "register_encoder": "encoders",
    "register_head": "heads",
    "save_model": "folder",
    "seal": "folder",
    "share_seen": "described",
    "warp": "view",
}

__all__ = [
    "DEFAULT_MODEL",
    "HEADS",
    "TRAINING",
    "Ensemble",
    "GalaxyModel",
    "Head",
    "HeadSpec",
    "Inference",
    "Model",
    "ModelSpec",
    "PackagedWeights",
    "View",
    "Warps",
    "architecture",
    "build_encoder",
    "build_head",
    "bundled_models",
    "crop",
    "encoder_stages",
    "learned_from",
    "load_model",
    "load_uncalibrated",
    "make_ensemble",
    "model_folder",
    "own_encoders",
    "packaged_weights",
    "pretrained_colours",
    "read_manifest",
    "register_encoder",
    "register_head",
    "save_model",
    "seal",
    "share_seen",
    "warp",
]

import_when_asked(__name__, _HOMES)
