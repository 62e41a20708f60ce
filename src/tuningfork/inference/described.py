"""The columns of predictions and embeddings: their types, whatever the images are, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np
import pyarrow as pa

from tuningfork.catalogs import About, column
from tuningfork.images import Decoded
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema

_QUALITY = "meta.code.qual"
ID = column("id_str", pa.string(), About("The galaxy's id", ucd="meta.id;meta.main"))
RA = column("ra", pa.float64(), About("Right ascension of the image's middle", "deg", "pos.eq.ra;meta.main"))
DEC = column("dec", pa.float64(), About("Declination of the image's middle", "deg", "pos.eq.dec;meta.main"))
FILE = column("file_loc", pa.string(), About("Where the image is", ucd="meta.ref"))
SCALE = column("pixel_scale", pa.float32(), About("Arcseconds a pixel of the image", "arcsec/pixel", "instr.scale"))
FIELD = column(
    "field_arcsec", pa.float32(), About("Side of the square that the model looks at", "arcsec", "phys.angSize")
)
WIDTH = column(
    "frame_width",
    pa.float32(),
    About("Width of the square relative to those of the training images", ucd="arith.ratio"),
)
PLACE_X = column(
    "galaxy_x",
    pa.float32(),
    About("How far to the right of the square's middle the galaxy is; 0.2: a fifth of its side"),
)
PLACE_Y = column(
    "galaxy_y", pa.float32(), About("How far below the square's middle the galaxy is; 0.2: a fifth of its side")
)
NOTE = column("note", pa.string(), About("What was assumed or mended in reading the image", ucd="meta.note"))
ERROR = column("error", pa.string(), About("Why the image could not be read; null: it was", ucd="meta.code.error"))
OOD_SCORE = column(
    "ood_score", pa.float32(), About("Out-of-distribution score; above 1: unlike the training images", ucd=_QUALITY)
)
OOD = column("ood", pa.bool_(), About("Out of distribution: the image is unlike the training images", ucd=_QUALITY))
SPLIT = column("split", pa.string(), About("train, val or test, as the catalogue has it", ucd="meta.code"))

Columns = list[tuple[pa.Field, pa.Array]]


def table_of(columns: Columns) -> pa.Table:
    """A table of described columns."""
    return pa.Table.from_arrays([values for _, values in columns], schema=pa.schema([entry for entry, _ in columns]))


def names(batch: Sequence[Decoded]) -> Columns:
    """Which galaxy each row is, where it is on the sky, and its image."""
    sky = [entry.sky or (None, None) for entry in batch]
    return [
        (ID, pa.array([entry.id_str for entry in batch], ID.type)),
        (RA, pa.array([ra for ra, _ in sky], RA.type)),
        (DEC, pa.array([dec for _, dec in sky], DEC.type)),
        (FILE, pa.array([entry.file_loc for entry in batch], FILE.type)),
    ]


def remarks(batch: Sequence[Decoded]) -> Columns:
    """How each image was seen, what to know of it, and why it was not read."""
    return [
        (SCALE, pa.array([entry.pixel_scale for entry in batch], SCALE.type)),
        (FIELD, pa.array([entry.field_arcsec for entry in batch], FIELD.type)),
        (NOTE, pa.array([entry.note for entry in batch], NOTE.type)),
        (ERROR, pa.array([entry.error for entry in batch], ERROR.type)),
    ]


def numbers(values: np.ndarray, described: Sequence[pa.Field], readable: np.ndarray) -> Columns:
    """Values (number of readable images, K) as K columns of all images; what is not known is null."""
    everyone = np.full((len(readable), len(described)), np.nan, dtype=np.float32)
    everyone[readable] = values
    return [(entry, pa.array(row, mask=np.isnan(row))) for entry, row in zip(described, everyone.T, strict=True)]


def answer_columns(schema: Schema) -> list[pa.Field]:
    """The numbers that answer a schema."""
    ucd = "src.morph" if isinstance(schema, QuantitySchema) else "stat.probability;src.morph"
    return [
        column(name, pa.float32(), About(text, ucd=ucd))
        for name, text in zip(schema.prediction_columns, _meanings(schema), strict=True)
    ]


@singledispatch
def _meanings(schema: Schema) -> list[str]:
    """What each number of a prediction says."""
    raise NotImplementedError(schema.kind)


@_meanings.register(TreeSchema)
def _of_votes(schema: TreeSchema) -> list[str]:
    whom = "everyone" if schema.of_everyone else "those asked"
    return [f"{q.text or q.name}: {answer.text or answer.name} (fraction of {whom})" for q, answer in schema.pairs]


@_meanings.register(ClassSchema)
def _of_classes(schema: ClassSchema) -> list[str]:
    return [f"Probability of the class {entry.label}" for entry in schema.classes]


@_meanings.register(QuantitySchema)
def _of_quantities(schema: QuantitySchema) -> list[str]:
    return [quantity.text or quantity.column for quantity in schema.quantities]


def summary_column(schema: Schema) -> pa.Field:
    """The text that says the most likely class, or path down the tree."""
    if isinstance(schema, ClassSchema):
        return column(
            str(schema.summary_column),
            pa.string(),
            About("The most probable class; not one of these: the tree's answers contradict it", ucd="src.morph"),
        )
    return column(str(schema.summary_column), pa.string(), About("The most likely answers", ucd="src.morph"))


def probability_column(schema: Schema) -> pa.Field:
    """The probability of the class that is named."""
    text = About("Probability of the class that is named; null: not one of these", ucd="stat.probability;src.morph")
    return column(f"{schema.summary_column}_probability", pa.float32(), text)


_ENDS = {
    "low": ("Least value of the 90 % interval of", "stat.min"),
    "high": ("Largest value of the 90 % interval of", "stat.max"),
    "spread": ("Standard deviation between views and members of", "stat.stdev"),
}


def confidence_columns(schema: Schema, which: str) -> list[pa.Field]:
    """How sure each answer is; `which` is ``low``, ``high`` or ``spread``."""
    text, ucd = _ENDS[which]
    return [
        column(f"{name}_{which}", pa.float32(), About(f"{text} {name}", ucd=f"src.morph;{ucd}"))
        for name in schema.prediction_columns
    ]


def expected_rmse_column(schema: TreeSchema) -> pa.Field:
    """How wrong the fractions of a tree are likely to be."""
    text = f"Expected root mean square error of the fractions of {schema.name}"
    return column(schema.expected_rmse_column, pa.float32(), About(text, ucd="stat.error;src.morph"))


def published_names(schemas: Sequence[Schema]) -> dict[str, str]:
    """The names that the publishers of labels give the columns of answers and of how sure they are."""
    pairs = [pair for s in schemas for pair in zip(s.prediction_columns, s.published_columns, strict=True)]
    return {f"{own}{end}": f"{published}{end}" for own, published in pairs for end in ("", *map("_{}".format, _ENDS))}


def label_column(schema: ClassSchema) -> pa.Field:
    """The name of the class that the catalogue gives."""
    return column(schema.label_column, pa.string(), About("The class, as the catalogue has it", ucd="src.morph"))


def predicted_column(schema: Schema) -> pa.Field:
    """What the model answers first, for the colours of a map."""
    kind = pa.float32() if isinstance(schema, QuantitySchema) else pa.string()
    return column(f"predicted_{schema.name}", kind, About("The model's leading answer", ucd="src.morph"))


def features_column(kind: pa.DataType) -> pa.Field:
    """What the encoder makes of an image."""
    return column("features", kind, About("What the encoder makes of the image", ucd="stat.param"))


def map_column(name: str, axis: str) -> pa.Field:
    """A position on a map of the features."""
    return column(f"{name}_{axis}", pa.float32(), About(f"{axis} on the {name} map of the features", ucd="stat.param"))
