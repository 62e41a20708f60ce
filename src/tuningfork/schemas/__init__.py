"""What is asked of a galaxy: decision trees, class lists and measured quantities, each a TOML file with its source."""

from tuningfork.schemas.check import ROUNDING, check_labels, class_indices, without_unasked
from tuningfork.schemas.classes import ClassSchema, GalaxyClass
from tuningfork.schemas.column import schema_of_column
from tuningfork.schemas.drawing import draw, draw_list
from tuningfork.schemas.load import bundled_schemas, load_schema, schema_from_dict, schema_to_dict
from tuningfork.schemas.quantities import Quantity, QuantitySchema
from tuningfork.schemas.schema import Schema
from tuningfork.schemas.tree import Answer, Question, TreeSchema

__all__ = [
    "ROUNDING",
    "Answer",
    "ClassSchema",
    "GalaxyClass",
    "Quantity",
    "QuantitySchema",
    "Question",
    "Schema",
    "TreeSchema",
    "bundled_schemas",
    "check_labels",
    "class_indices",
    "draw",
    "draw_list",
    "load_schema",
    "schema_from_dict",
    "schema_of_column",
    "schema_to_dict",
    "without_unasked",
]
