"""Manifests: one class for each format of JSON that says what a folder is, and vouches for the files in it.

A manifest is written last and whole, so that where none stands, nothing is finished. It is read within bounds, and
checked before anything in it is used: a format and version this software knows, types that are right, file names that
stay in the folder. An error is one line that names the file and the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from tuningfork.errors import (
    EmbeddingError,
    EvaluationError,
    ModelError,
    OutputError,
    PackError,
    PredictionsError,
    TuningforkError,
)
from tuningfork.files import read_json, sha256, stamp, write_json

LARGEST = 64 << 20  # bytes
DEEPEST = 40  # levels of lists and tables
LONGEST_NAME = 400  # characters of a file's name
MOST_MEMBERS = 64  # of an ensemble
SPEC = "spec"  # stands among the hashes of a model, and is no file


def _inside(name: str) -> str:
    """A relative name that stays below the folder it is relative to, on any system."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError("no name of a file")
    parts, windows = PurePosixPath(name).parts, PureWindowsPath(name)
    if name.startswith("/") or windows.drive or windows.root or not parts or {".", ".."} & {*parts, *windows.parts}:
        raise ValueError("a file outside the folder")
    return name


FileName = Annotated[str, AfterValidator(_inside)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=1, le=1 << 16)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Number = Annotated[FiniteFloat, Field(strict=False)]
Interval = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]


class _Entry(BaseModel):
    """A table in a manifest; keys that this version does not know are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, protected_namespaces=())


class Manifest(_Entry):
    """What every manifest holds. `content` is all of it, as it is in the file."""

    FORMAT: ClassVar[str]
    VERSION: ClassVar[int] = 1
    NAME: ClassVar[str]  # of the file
    WHAT: ClassVar[str]  # as in "is not the manifest of a pack"
    ABSENT: ClassVar[str]  # what it means that there is none, and what to do
    AGAIN: ClassVar[str]  # what to do where it, or a file it speaks of, is wrong
    ERROR: ClassVar[type[TuningforkError]]

    format: str
    version: int
    made_by: str = ""
    created: str = ""
    sha256: dict[FileName, Digest] = Field(default_factory=dict)
    inputs: dict[str, Any] = Field(default_factory=dict)

    _content: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """All of it."""
        return self._content

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a folder, checked; its files are not looked at.

        Raises
        ------
        TuningforkError
            Of the class `ERROR`: if there is none, it is another's or of another version, or a key of it is wrong.
        """
        path = folder / cls.NAME
        if not path.exists():
            raise cls.ERROR(f"{folder} holds no {cls.NAME}: {cls.ABSENT}")
        return cls.of(read_json(path, cls.ERROR, LARGEST), path)

    @classmethod
    def of(cls, content: Any, origin: Path) -> Self:
        """A manifest from what JSON holds; `where` it stood, for errors."""
        if not isinstance(content, dict) or content.get("format") != cls.FORMAT:
            raise cls.ERROR(f"{origin} is not the manifest of {cls.WHAT}")
        if content.get("version") != cls.VERSION or content["version"] is True:
            raise cls.ERROR(
                f"{origin} has format version {_shown(content.get('version'))}; this software reads {cls.VERSION}: "
                f"update it, or {cls.AGAIN}"
            )
        if _depth(content) > DEEPEST:
            raise cls.ERROR(f"{origin} is nested too deeply; {cls.AGAIN}")
        try:
            manifest = cls.model_validate(content)
        except ValidationError as problem:
            raise cls.ERROR(f"{origin}: {_first(problem)}; {cls.AGAIN}") from problem
        manifest._content = content
        return manifest

    @classmethod
    def write(cls, folder: Path, content: Mapping[str, Any], files: Iterable[str] = ()) -> None:
        """Write a manifest, whole, after the `files` of its folder that it vouches for.

        Raises
        ------
        OutputError
            If it can't be written.
        """
        hashes = {name: sha256(folder / name) for name in files}
        whole = stamp(cls.FORMAT, cls.VERSION) | dict(content)
        if hashes or "sha256" in whole:
            whole["sha256"] = hashes | whole.get("sha256", {})
        cls.of(json.loads(json.dumps(whole)), folder / cls.NAME)
        write_json(folder / cls.NAME, whole)

    def check(self, folder: Path, names: Iterable[str] | None = None) -> None:
        """See that files of the folder are those it speaks of: all of them, or those of these names.

        Raises
        ------
        TuningforkError
            Of the class `ERROR`: if one is missing, a link, or not the file that was written.
        """
        for name in self.sha256 if names is None else names:
            if name == SPEC:
                continue
            path = self.file(folder, name)
            try:
                altered = sha256(path) != self.sha256.get(name)
            except OSError as problem:
                raise self.ERROR(f"{path} can't be read ({problem.strerror}); {self.AGAIN}") from problem
            if altered:
                raise self.ERROR(
                    f"{path} is not the file its manifest speaks of (altered or half copied); {self.AGAIN}"
                )

    def file(self, folder: Path, name: str) -> Path:
        """A regular file of the folder by its name; links are not followed.

        Raises
        ------
        TuningforkError
            Of the class `ERROR`: if there is none.
        """
        path = folder
        for part in PurePosixPath(_inside(name)).parts:
            path = path / part
            if path.is_symlink():
                raise self.ERROR(f"{path} is a link, and those in {self.WHAT} are not followed; copy the file itself")
        if not path.is_file():
            raise self.ERROR(f"{path} is missing; {self.AGAIN}")
        return path


class GeometryEntry(_Entry):
    """As `images.Geometry`."""

    field: Annotated[Positive, Field(le=1)]
    size: Annotated[int, Field(ge=1, le=4096)]
    channels: Annotated[int, Field(ge=1, le=64)]


class SurveyEntry(_Entry):
    """As `images.Survey`; what is not there is not said."""

    bands: list[str] = Field(default_factory=list)
    zero_point: list[Number] = Field(default_factory=list)
    per_second: bool = False
    unit: str = ""
    pixel_scale: Annotated[Positive, Field(strict=False)] | None = None
    hdu: str = ""


class ReadingEntry(_Entry):
    """As `images.Reading`: how images were read."""

    survey: SurveyEntry = SurveyEntry()
    field: str = "1"
    arcsec: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None


class PackManifest(Manifest):
    """Of a pack: N images in one geometry, with what is asked of them."""

    FORMAT, NAME, WHAT = "tuningfork-pack", "pack.json", "a pack"
    ABSENT = "packing has not finished there; run the same pack command again"
    AGAIN, ERROR = "pack again", PackError

    n: Count
    geometry: GeometryEntry
    schemas: list[dict[str, Any]]
    splits: dict[str, Count] = Field(default_factory=dict)
    errors: list[dict[str, str]] = Field(default_factory=list)
    notes: dict[str, int] = Field(default_factory=dict)
    labelled: dict[str, Count] = Field(default_factory=dict)
    source: dict[str, Any] = Field(default_factory=dict)
    images: ReadingEntry | None = None
    job: str | None = None
    sampled: Digest | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """As of every manifest; where there is no folder, nothing was ever packed there."""
        if not folder.exists():
            raise cls.ERROR(f"no pack at {folder}; make it with `tuningfork pack`")
        return super().read(folder)


class EncoderEntry(_Entry):
    """The network, and what it is built with."""

    name: str
    options: dict[str, Any]


class InputEntry(_Entry):
    """What a network sees of a square, and the colours it expects."""

    field: Annotated[Positive, Field(le=1)]
    size: Annotated[int, Field(ge=1, le=2048)]
    mean: list[Number]
    std: list[Annotated[Positive, Field(strict=False)]]


class HeadEntry(_Entry):
    """A head, and the schema it answers."""

    spec: dict[str, Any]
    schema_: dict[str, Any] = Field(alias="schema")


class ModelManifest(Manifest):
    """Of a model: all it is built from, and how it was made."""

    FORMAT, NAME, WHAT = "tuningfork-model", "model.json", "a model"
    ABSENT = "training has not finished there; run the same train command again"
    AGAIN, ERROR = "copy the whole model folder, or train it again", ModelError

    encoder: EncoderEntry
    geometry: GeometryEntry
    input: InputEntry
    heads: Annotated[list[HeadEntry], Field(min_length=1)]
    images: ReadingEntry | None = None
    members: Annotated[list[FileName], Field(min_length=2, max_length=MOST_MEMBERS)] | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    recipe: dict[str, Any] | None = None
    figures: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    calibration: dict[str, Any] | None = None


class FigureEntry(_Entry):
    """A figure, its 95 % interval, and of how many galaxies it is."""

    value: FiniteFloat | None
    n: Count
    interval: Interval | None


NONE = FigureEntry(value=None, n=0, interval=None)


class QuestionEntry(_Entry):
    """How well a question is answered."""

    rmse: FigureEntry
    baseline_rmse: FigureEntry
    rmse_where_asked: FigureEntry
    accuracy: FigureEntry
    ece: FigureEntry
    coverage: FigureEntry = NONE
    volunteers: FigureEntry = NONE


class ClassEntry(_Entry):
    """How well a class is found."""

    precision: FigureEntry
    recall: FigureEntry
    f1: FigureEntry
    support: Count


class ConfusionEntry(_Entry):
    """How often a class is taken for another."""

    true: str
    predicted: str
    count: Count
    share: FiniteFloat


class AnswerLossEntry(_Entry):
    """A galaxy whose fractions are far from the votes."""

    id_str: str
    question: str
    answer: str
    true: FiniteFloat
    predicted: FiniteFloat
    loss: FiniteFloat


class ClassLossEntry(_Entry):
    """A galaxy whose class is thought improbable."""

    id_str: str
    true: str
    predicted: str
    probability: FiniteFloat
    loss: FiniteFloat


class QuantityEntry(_Entry):
    """How well a quantity is measured."""

    mae: FigureEntry
    pearson: FigureEntry
    rmse: FigureEntry = NONE
    median_absolute_error: FigureEntry = NONE
    bias: FigureEntry = NONE
    spearman: FigureEntry = NONE
    within_limits: FigureEntry = NONE
    coverage: FigureEntry = NONE


class EvaluatedEntry(_Entry):
    """How well the answers to a schema are."""

    figures: dict[str, FigureEntry]
    questions: dict[str, QuestionEntry] = Field(default_factory=dict)
    classes: dict[str, ClassEntry] = Field(default_factory=dict)
    most_confused: list[ConfusionEntry] = Field(default_factory=list)
    quantities: dict[str, QuantityEntry] = Field(default_factory=dict)
    top_losses: list[AnswerLossEntry] | list[ClassLossEntry] = Field(default_factory=list)


class EvaluationManifest(Manifest):
    """Of an evaluation: figures with their intervals, and plots."""

    FORMAT, NAME, WHAT = "tuningfork-evaluation", "evaluation.json", "an evaluation"
    ABSENT = "evaluation has not finished there; evaluate again"
    AGAIN, ERROR = "evaluate again", PredictionsError

    where: str
    schemas: dict[str, EvaluatedEntry]
    n: dict[str, Count] = Field(default_factory=dict)
    n_bootstrap: Count
    seed: int
    plots: list[FileName]
    captions: dict[FileName, str]


class PointEntry(_Entry):
    """A figure at one amount of a disturbance, and how far the answers have moved."""

    level: FiniteFloat
    figure: str
    value: FiniteFloat | None
    interval: Interval | None
    change: FiniteFloat


class CurveEntry(_Entry):
    """A figure under a disturbance."""

    title: str
    points: Annotated[list[PointEntry], Field(min_length=1)]


class RobustnessManifest(Manifest):
    """Of a robustness measurement: curves, and a plot of each schema with its caption."""

    FORMAT, NAME, WHAT = "tuningfork-robustness", "robustness.json", "a robustness measurement"
    ABSENT = "the measurement has not finished there; run it again"
    AGAIN, ERROR = "measure again", EvaluationError

    where: str
    n: Count
    views: Count
    n_bootstrap: Count
    seed: int
    curves: dict[str, Annotated[dict[str, CurveEntry], Field(min_length=1)]]
    plots: dict[FileName, str]


class LookEntry(_Entry):
    """What the model sees, and how large the hidden patch is."""

    field: FiniteFloat
    size: Size
    patch: Size


class GradCamEntry(_Entry):
    """Where Grad-CAM's map lies."""

    centroid_offset: FiniteFloat | None
    inner_half: FiniteFloat | None


class OcclusionEntry(_Entry):
    """How far the answer falls, and where the patch is then."""

    largest_drop: FiniteFloat
    x: FiniteFloat
    y: FiniteFloat


class ExplainedEntry(_Entry):
    """A galaxy that was explained."""

    id_str: str
    answer: str
    words: str
    value: FiniteFloat
    gradcam: GradCamEntry
    occlusion: OcclusionEntry
    plots: Annotated[list[FileName], Field(min_length=2)]
    note: str = ""


class UnreadEntry(_Entry):
    """A galaxy whose image could not be read."""

    id_str: str
    error: str


class ExplanationManifest(Manifest):
    """Of an explanation: the galaxies with their plots, and those that could not be read."""

    FORMAT, NAME, WHAT = "tuningfork-explanation", "explanation.json", "an explanation"
    ABSENT = "the explanation has not finished there; run the same explain command again"
    AGAIN, ERROR = "explain again", OutputError

    model: str
    view: LookEntry
    galaxies: list[ExplainedEntry]
    errors: list[UnreadEntry]


class ReportedEntry(_Entry):
    """A figure that the source of a recipe reports."""

    figure: str
    value: FiniteFloat
    on: str


class NamedFigureEntry(FigureEntry):
    """A figure of a schema."""

    schema_: str = Field(alias="schema")
    figure: str


class RunEntry(_Entry):
    """A run of a study; `folder` is its name in `models` and `evaluations`, absent where it failed."""

    label: str
    folder: FileName | None = None
    error: str = ""
    recipe: str = ""
    changes: list[str] = Field(default_factory=list)
    reported: list[ReportedEntry] = Field(default_factory=list)
    galaxies: Count = 0
    parameters: Count = 0
    lr: FiniteFloat = 0
    batch_size: Count = 0
    epochs: Count = 0
    best_epoch: Count = 0
    seconds: FiniteFloat = 0
    device: str = ""
    figures: list[NamedFigureEntry] = Field(default_factory=list)
    differences: list[NamedFigureEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {"recipe", "changes", "reported", "galaxies", "parameters", "lr", "batch_size", "epochs", "best_epoch"}
        absent = sorted((needed | {"seconds", "device"}) - self.model_fields_set)
        if "figures" in self.model_fields_set and absent:
            raise ValueError(f"{absent[0]} is missing of a finished run")
        return self


class StudyManifest(Manifest):
    """Of a study: its runs, compared."""

    FORMAT, NAME, WHAT = "tuningfork-study", "study.json", "a study"
    ABSENT = "the study has not finished there; run the same study command again"
    AGAIN, ERROR = "run the study again", OutputError

    title: str
    source: str
    split: str
    rows: list[str]
    pack: str
    plots: list[FileName]
    runs: list[RunEntry]


class NetworkEntry(_Entry):
    """A graph of an exported model."""

    file: FileName


class OriginEntry(_Entry):
    """The model that was exported."""

    name: str
    sha256: dict[str, str]


class ExportManifest(Manifest):
    """Of an exported model: its graphs, and how far their answers lie from PyTorch's."""

    FORMAT, NAME, WHAT = "tuningfork-export", "export.json", "an exported model"
    ABSENT = "it is no exported model; make one with `tuningfork export`"
    AGAIN, ERROR = "export again", ModelError

    to: Literal["onnx", "openvino"]
    int8: bool
    model: OriginEntry
    networks: Annotated[list[NetworkEntry], Field(min_length=1, max_length=MOST_MEMBERS)]
    against_torch: dict[str, Any]


class PurityManifest(Manifest):
    """Of what is written beside an embedding: how well its classes keep together."""

    FORMAT, NAME, WHAT = "tuningfork-purity", "purity.json", "the purity of an embedding"
    ABSENT, AGAIN, ERROR = "embed again", "embed again", EmbeddingError

    schemas: dict[str, Any]


class EmbeddingManifest(Manifest):
    """Of an embedding, in the metadata of its Parquet file."""

    FORMAT, NAME, WHAT = "tuningfork-embedding", "", "an embedding"
    ABSENT, AGAIN, ERROR = "embed again", "embed again", EmbeddingError

    n: Count
    n_features: Count
    inputs: dict[str, Any]
    geometry: GeometryEntry
    seed: int
    maps: dict[str, Any]
    schemas: list[dict[str, Any]]


class SimulationManifest(Manifest):
    """Of simulated galaxies: the settings, without a date, so that a seed gives the same bytes."""

    FORMAT, NAME, WHAT = "tuningfork-simulation", "simulation.json", "a simulation"
    ABSENT, AGAIN, ERROR = "simulate again", "simulate again", OutputError

    n: Count
    seed: Count
    size: Size
    fits: bool
    mix: dict[str, Number]


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


def _depth(value: Any) -> int:
    """How many lists and tables lie in one another, without recursion."""
    deepest, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        deepest += 1
        if deepest > DEEPEST:
            break
        level = [each for entry in level for each in (entry.values() if isinstance(entry, dict) else entry)]
    return deepest


def _first(problem: ValidationError) -> str:
    """The first thing that is wrong, in one line: the key, and what is the matter with it."""
    error = problem.errors(include_url=False, include_context=False)[0]
    key = ".".join(_shown(part) for part in error["loc"])
    text = re.sub(r"^Value error, ", "", error["msg"])
    return f"{key}: {text[0].lower()}{text[1:]}"


def _shown(value: Any) -> str:
    """A value of unknown origin, short and printable."""
    text = "".join(each if each.isprintable() else "?" for each in str(value))
    return text if len(text) <= 40 else text[:37] + "..."
