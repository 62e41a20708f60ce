"""A model is an encoder and one head a schema; a model folder is its weights and its manifest, never a pickle."""

from tuningfork.models.encoders import build_encoder, own_encoders, pretrained_colours, register_encoder
from tuningfork.models.ensemble import make_ensemble
from tuningfork.models.folder import (
    DEFAULT_MODEL,
    TRAINING,
    bundled_models,
    load_model,
    model_folder,
    read_manifest,
    save_model,
    seal,
)
from tuningfork.models.heads import HEADS, Head, HeadSpec, build_head, register_head
from tuningfork.models.model import Ensemble, GalaxyModel, Inference, Model, ModelSpec
from tuningfork.models.stages import encoder_stages
from tuningfork.models.view import View, Warps, crop, warp
from tuningfork.models.weights import PackagedWeights, packaged_weights

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
    "build_encoder",
    "build_head",
    "bundled_models",
    "crop",
    "encoder_stages",
    "load_model",
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
    "warp",
]
