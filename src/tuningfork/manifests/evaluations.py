"""What an evaluation and a measurement of robustness say: figures with their intervals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from tuningfork.errors import EvaluationError, PredictionsError
from tuningfork.manifests.base import Count, Entry, FileName, Interval, Manifest


class FigureEntry(Entry):
    """A figure, its 95 % interval, and of how many galaxies it is."""

    value: FiniteFloat | None
    n: Count
    interval: Interval | None


NONE = FigureEntry(value=None, n=0, interval=None)


class QuestionEntry(Entry):
    """How well a question is answered."""

    rmse: FigureEntry
    baseline_rmse: FigureEntry
    rmse_where_asked: FigureEntry
    accuracy: FigureEntry
    ece: FigureEntry
    coverage: FigureEntry = NONE
    volunteers: FigureEntry = NONE


class ClassEntry(Entry):
    """How well a class is found."""

    precision: FigureEntry
    recall: FigureEntry
    f1: FigureEntry
    support: Count


class ConfusionEntry(Entry):
    """How often a class is taken for another."""

    true: str
    predicted: str
    count: Count
    share: FiniteFloat


class AnswerLossEntry(Entry):
    """A galaxy whose fractions are far from the votes."""

    id_str: str
    question: str
    answer: str
    true: FiniteFloat
    predicted: FiniteFloat
    loss: FiniteFloat


class ClassLossEntry(Entry):
    """A galaxy whose class is thought improbable."""

    id_str: str
    true: str
    predicted: str
    probability: FiniteFloat
    loss: FiniteFloat


class QuantityEntry(Entry):
    """How well a quantity is measured."""

    mae: FigureEntry
    pearson: FigureEntry
    rmse: FigureEntry = NONE
    median_absolute_error: FigureEntry = NONE
    bias: FigureEntry = NONE
    spearman: FigureEntry = NONE
    within_limits: FigureEntry = NONE
    coverage: FigureEntry = NONE


class EvaluatedEntry(Entry):
    """How well the answers to a schema are."""

    figures: dict[str, FigureEntry]
    questions: dict[str, QuestionEntry] = Field(default_factory=dict)
    classes: dict[str, ClassEntry] = Field(default_factory=dict)
    most_confused: list[ConfusionEntry] = Field(default_factory=list)
    quantities: dict[str, QuantityEntry] = Field(default_factory=dict)
    top_losses: list[AnswerLossEntry] | list[ClassLossEntry] = Field(default_factory=list)


class ExampleEntry(Entry):
    """A galaxy of the strip of pictures, and what the model said of it."""

    id_str: str
    schema_: str = Field(alias="schema")
    right: bool
    said: str


class EvaluationManifest(Manifest):
    """Of an evaluation: figures with their intervals, and plots."""

    FORMAT, NAME, WHAT = "tuningfork-evaluation", "evaluation.json", "an evaluation"
    MAKE = "evaluate"
    AGAIN, ERROR = "evaluate again", PredictionsError

    where: str
    schemas: dict[str, EvaluatedEntry]
    n: dict[str, Count] = Field(default_factory=dict)
    n_bootstrap: Count
    seed: int
    plots: list[FileName]
    captions: dict[FileName, str]
    galaxies: list[ExampleEntry] = Field(default_factory=list)


class PointEntry(Entry):
    """A figure at one amount of a disturbance, and how far the answers have moved."""

    level: FiniteFloat
    figure: str
    value: FiniteFloat | None
    interval: Interval | None
    change: FiniteFloat


class CurveEntry(Entry):
    """A figure under a disturbance."""

    title: str
    points: Annotated[list[PointEntry], Field(min_length=1)]


class RobustnessManifest(Manifest):
    """Of a robustness measurement: curves, and a plot of each schema with its caption."""

    FORMAT, NAME, WHAT = "tuningfork-robustness", "robustness.json", "a robustness measurement"
    MAKE = "robustness"
    AGAIN, ERROR = "measure again", EvaluationError

    where: str
    n: Count
    views: Count
    n_bootstrap: Count
    seed: int
    curves: dict[str, Annotated[dict[str, CurveEntry], Field(min_length=1)]]
    plots: dict[FileName, str]
