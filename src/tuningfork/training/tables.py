"""The tables of a recipe. No torch here, so that a mistake in one is reported at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tuningfork.models.heads import HeadSpec


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ReportedTable(_Table):
    """A figure that the recipe's source reports, such as accuracy 0.775, and the galaxies it was measured on."""

    figure: str
    value: float
    on: str


class EncoderTable(_Table):
    """`name`: one of ours or of timm's. `pretrained` loads weights trained on pictures. `options` go to the network.

    `start` takes the weights of the encoder of another model: a model folder, or ``default``, the bundled one.
    """

    name: str
    pretrained: bool = False
    start: str = ""
    options: dict[str, Any] = {}


class InputTable(_Table):
    """What the network sees: the central `field` of the frame, at `size` pixels.

    `normalise` takes from each channel its mean over the training galaxies and divides by its standard deviation.
    """

    field: float = Field(gt=0, le=1)
    size: int = Field(ge=8, le=2048)
    normalise: bool = True


def _a_range(bounds: tuple[float, float]) -> tuple[float, float]:
    if not 0 < bounds[0] <= bounds[1]:
        raise ValueError("a range of magnification is [low, high] with 0 < low <= high")
    return bounds


Magnification = Annotated[tuple[float, float], AfterValidator(_a_range)]


class Reframing(_Table):
    """The frames of other users: a `share` of images of which `zoom` and `shift` are drawn from these ranges instead.

    `zoom` is the range of magnification, so [0.5, 2] shows twice to half the field; `shift` is a fraction of the side
    that is then seen, either way.
    """

    share: float = Field(0.5, gt=0, le=1)
    zoom: Magnification = (0.5, 2.0)
    shift: float = Field(0.2, ge=0, le=0.5)


class Augmentation(_Table):
    """How far images are changed; every default leaves them alone.

    Geometric: `rotation` degrees either way (180: any angle), `zoom` the range of magnification, `shift` a fraction of
    the view either way, `flip` left to right half of the time, `shear` degrees either way, `stretch` the range of
    magnification along x alone. Photometric: `brightness` and `contrast` relative changes either way, `saturation`
    likewise, `hue` degrees either way, `noise` the standard deviation of Gaussian noise in units of full scale,
    `autocontrast` the share of images of which each channel is stretched from black to white, `grey` the share of which
    one channel, drawn at random, is seen in all. `reframe` gives a share of the images wider ranges of zoom and shift.
    """

    rotation: float = Field(0.0, ge=0, le=180)
    zoom: Magnification = (1.0, 1.0)
    shift: float = Field(0.0, ge=0, le=0.5)
    flip: bool = False
    shear: float = Field(0.0, ge=0, le=60)
    stretch: Magnification = (1.0, 1.0)
    brightness: float = Field(0.0, ge=0, lt=1)
    contrast: float = Field(0.0, ge=0, lt=1)
    saturation: float = Field(0.0, ge=0, le=1)
    hue: float = Field(0.0, ge=0, le=180)
    noise: float = Field(0.0, ge=0, le=1)
    autocontrast: float = Field(0.0, ge=0, le=1)
    grey: float = Field(0.0, ge=0, le=1)
    reframe: Reframing | None = None


class TransferTable(_Table):
    """How an encoder that knows something already is trained on (Howard & Ruder 2018, arXiv:1801.06146).

    The encoder keeps its weights for `frozen` epochs (``"all"``: for ever), in which the heads learn. Then its last
    stage is released, and after every `unfreeze` epochs more the stage before it; 0 releases all at once. The schedule
    of the rate runs anew from each release. The rate of each stage is `decay` times that of the stage after it; the
    heads have the full rate. With `heads`, the heads of the model that the encoder starts from are taken too.
    """

    frozen: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    unfreeze: int = Field(0, ge=0)
    decay: float = Field(1.0, gt=0, le=1)
    heads: bool = False

    @model_validator(mode="after")
    def _frozen_first(self) -> TransferTable:
        if self.unfreeze and self.frozen in (0, "all"):
            raise ValueError("unfreeze needs a number of frozen epochs before it")
        return self


class OptimTable(_Table):
    """The optimiser, its schedule and its length.

    With `find_lr` a short test before the run chooses the rate in place of `lr` (see `training.lr_finder`). `warmup` is
    the fraction of steps over which the rate rises to it; after that `one-cycle` and `cosine` fall to (nearly) nothing
    and `constant` stays. `accumulate` batches make one step. `clip` bounds the gradient's norm.
    """

    name: Literal["adamw", "adam", "adamax", "sgd"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    find_lr: bool = False
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    warmup: float = Field(0.25, ge=0, lt=1)
    epochs: int = Field(20, ge=1)
    batch_size: int = Field(128, ge=1)
    accumulate: int = Field(1, ge=1)
    clip: float | None = Field(None, gt=0)


class RunTable(_Table):
    """How the fit is run and judged.

    `galaxies` trains on that many galaxies of the train split, drawn by the seed (none: on all). `ema` is the decay of
    the exponential moving average of the weights, which is then what is validated and kept (none: the weights
    themselves). `patience` stops after that many epochs without a better `monitor`. `keep` chooses the weights of the
    best epoch by `monitor`, or those of the last; `save_every` keeps a checkpoint of every so many epochs besides.
    """

    seed: int = Field(0, ge=0, lt=2**32)
    galaxies: int | None = Field(None, ge=1)
    ema: float | None = Field(None, gt=0, lt=1)
    precision: Literal["32", "bf16", "16"] = "32"
    patience: int | None = Field(None, ge=1)
    monitor: str = "val_loss"
    keep: Literal["best", "last"] = "best"
    save_every: int | None = Field(None, ge=1)


class Recipe(_Table):
    """A whole recipe: everything that decides how a model is trained. Made by `load_recipe`.

    Parameters
    ----------
    name, title, source : str
        What it is called, and where it comes from.
    reported : tuple of tables
        The figures that the source reports: `figure`, `value`, and `on`, the galaxies they were measured on.
    encoder : table
        The network: `name`, `pretrained`, `start`, `options`.
    input : table
        What it sees: `field` (a fraction of the frame), `size` (pixels), `normalise`.
    head : tuple of tables
        One a schema: `schema`, `kind`, `loss` and more.
    augmentation, transfer, optim, run : table
        How training images are changed, how a trained encoder is trained on, the optimiser and the length of the run.
    """

    name: str
    title: str = ""
    source: str = ""
    reported: tuple[ReportedTable, ...] = ()
    encoder: EncoderTable
    input: InputTable
    head: tuple[HeadSpec, ...] = Field(min_length=1)
    augmentation: Augmentation = Augmentation()
    transfer: TransferTable = TransferTable()
    optim: OptimTable = OptimTable()
    run: RunTable = RunTable()

    @model_validator(mode="after")
    def _heads_from_somewhere(self) -> Recipe:
        if self.transfer.heads and not self.encoder.start:
            raise ValueError("transfer.heads needs encoder.start, the model to take them from")
        return self
