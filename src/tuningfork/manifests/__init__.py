"""Manifests: what a folder is, and the hashes of the files in it, one class a format, read within bounds."""

from tuningfork.manifests.base import SPEC, Manifest
from tuningfork.manifests.evaluations import EvaluationManifest, RobustnessManifest
from tuningfork.manifests.explanations import ExplanationManifest
from tuningfork.manifests.labels import LabelEvent, LabelsManifest
from tuningfork.manifests.models import ModelManifest
from tuningfork.manifests.outputs import EmbeddingManifest, ExportManifest, PurityManifest, SimulationManifest
from tuningfork.manifests.packs import PackManifest
from tuningfork.manifests.studies import StudyManifest

MANIFESTS: tuple[type[Manifest], ...] = (
    PackManifest,
    ModelManifest,
    EvaluationManifest,
    ExplanationManifest,
    RobustnessManifest,
    StudyManifest,
    ExportManifest,
    SimulationManifest,
)

__all__ = [
    "MANIFESTS",
    "SPEC",
    "EmbeddingManifest",
    "EvaluationManifest",
    "ExplanationManifest",
    "ExportManifest",
    "LabelEvent",
    "LabelsManifest",
    "Manifest",
    "ModelManifest",
    "PackManifest",
    "PurityManifest",
    "RobustnessManifest",
    "SimulationManifest",
    "StudyManifest",
]
