"""What a recipe says of a head. No torch here, so that a mistake in a recipe is reported at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

KINDS = ["classes", "sigmoid", "tree", "dirichlet", "quantities"]  # `register_head` adds to it
Fraction = Annotated[float, Field(ge=0, lt=1)]


class TeacherSpec(BaseModel):
    """Predictions that a head learns from beside the labels, or in their place.

    `answers` is a table that `tuningfork predict` wrote of the training galaxies. A known label becomes a blend of
    which `weight` is the teacher's; an unknown one is the teacher's answer (in a tree scaled to the target of what
    leads to it). An epoch takes `share` of the galaxies that this head has no label of, drawn anew each time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: str
    weight: float = Field(0.5, ge=0, le=1)
    share: float = Field(1.0, gt=0, le=1)


class HeadSpec(BaseModel):
    """One head of a recipe.

    `kind` is a name in `KINDS`; `loss` one of that head's losses (its first by default); `weight` multiplies its loss;
    `hidden` is the widths of dense layers with ReLU before the output, `dropout` the fraction dropped before each
    dense layer, the output's among them: one number for all, or one for each. `class_weights` (``"balanced"`` or one
    number a class) and `label_smoothing` go with classes; `quantity_weights` says of quantities, by column, how many
    times the loss of each counts where that is not once. `share` is the part of the galaxies from which only this head
    can learn that an epoch takes, drawn anew each time (from which several can, the largest of their shares): many easy
    labels need not crowd out few good ones. `where`
    narrows the training galaxies it learns from to those that match every ``column=value`` (``column=one|other``);
    `teacher` gives it answers to learn from besides.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_name: str = Field(alias="schema")
    kind: str
    loss: str = ""
    weight: float = Field(1.0, gt=0)
    share: float = Field(1.0, gt=0, le=1)
    where: tuple[str, ...] = ()
    teacher: TeacherSpec | None = None
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = ()
    dropout: Fraction | tuple[Fraction, ...] = 0.0
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    quantity_weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"one of {', '.join(KINDS)} is needed")
        return kind

    @model_validator(mode="after")
    def _one_dropout_a_layer(self) -> HeadSpec:
        if isinstance(self.dropout, tuple) and len(self.dropout) != len(self.hidden) + 1:
            raise ValueError(f"dropout has {len(self.dropout)} numbers for {len(self.hidden) + 1} dense layers")
        return self
