"""Schemas: what is bundled, what is refused, and whether labels obey them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.errors import SchemaError
from tuningfork.models import read_manifest
from tuningfork.schemas import (
    Answer,
    ClassSchema,
    GalaxyClass,
    Quantity,
    QuantitySchema,
    Question,
    Schema,
    TreeSchema,
    bundled_schemas,
    check_labels,
    class_indices,
    draw,
    load_schema,
    schema_from_dict,
    schema_to_dict,
)
from tuningfork.schemas.schema import identifiers

DATA = Path(__file__).parents[2] / "shared" / "data"
BUNDLED = bundled_schemas()

TREE: dict[str, Any] = {
    "name": "mine",
    "title": "My questions",
    "kind": "tree",
    "relative_to": "everyone",
    "question": [
        {"name": "shape", "answers": [{"name": n, "column": f"shape_{n}"} for n in ("smooth", "disk", "star")]},
        {
            "name": "bar",
            "parents": ["shape_disk"],
            "answers": [{"name": n, "column": f"bar_{n}"} for n in ("yes", "no")],
        },
        {
            "name": "odd",
            "parents": ["shape_smooth", "shape_disk"],
            "answers": [{"name": n, "column": f"odd_{n}"} for n in ("yes", "no")],
        },
    ],
}
GOOD = {
    "id_str": ["a", "b"],
    "shape_smooth": [0.5, 0.1],
    "shape_disk": [0.25, 0.9],
    "shape_star": [0.25, 0.0],
    "bar_yes": [0.125, 0.5],
    "bar_no": [0.125, 0.4],
    "odd_yes": [0.5, 0.3],
    "odd_no": [0.25, 0.7],
}
CLASSES: dict[str, Any] = {
    "name": "kinds",
    "title": "Kinds",
    "kind": "classes",
    "label_column": "kind",
    "class": [{"name": "e", "label": "elliptical"}, {"name": "s", "label": "spiral"}],
}
QUANTITIES: dict[str, Any] = {
    "name": "numbers",
    "title": "Numbers",
    "kind": "quantities",
    "quantity": [{"column": "bulge", "low": 0, "high": 1, "missing": -1, "lower_column": "bulge_inf"}],
}


def _copy(table: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(table))


# What is bundled


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_schema_names_itself_cites_a_source_and_round_trips(name: str) -> None:
    schema = load_schema(name)
    assert schema.name == name
    assert schema.sources
    stored = json.loads(json.dumps(schema_to_dict(schema), allow_nan=False))
    assert schema_from_dict(stored) == schema
    assert schema_from_dict(schema_to_dict(schema)) == schema


# galaxy-datasets 0.0.25, label_metadata.py: the number of columns, the first and the last of each list, and of each
# question the number of answers, written down apart from the TOML files.
GALAXY_DATASETS = {
    "gz2": (
        [3, 2, 2, 2, 4, 2, 3, 3, 3, 6],
        "smooth-or-featured-gz2_smooth",
        "spiral-arm-count-gz2_cant-tell",
        {"how-rounded-gz2_cigar", "bulge-shape-gz2_no-bulge", "bulge-size-gz2_just-noticeable"},
    ),
    "gz-decals-dr12": (
        [3, 2, 2, 2, 3, 3, 3, 3, 5, 4],
        "smooth-or-featured-dr12_smooth",
        "merging-dr12_merger",
        {"how-rounded-dr12_completely", "merging-dr12_tidal-debris", "bar-dr12_yes"},
    ),
    "gz-decals-dr5": (
        [3, 2, 2, 3, 5, 3, 3, 3, 6, 4],
        "smooth-or-featured-dr5_smooth",
        "merging-dr5_merger",
        {"how-rounded-dr5_round", "merging-dr5_major-disturbance", "bar-dr5_strong"},
    ),
    "gz-decals-dr8": (
        [3, 2, 2, 3, 5, 3, 3, 3, 6, 4],
        "smooth-or-featured-dr8_smooth",
        "merging-dr8_merger",
        {"edge-on-bulge-dr8_boxy", "spiral-arm-count-dr8_more-than-4"},
    ),
    "gz-desi": (
        [3, 2, 2, 2, 3, 3, 3, 3, 5, 4] + 2 * [3, 2, 2, 3, 5, 3, 3, 3, 6, 4],
        "smooth-or-featured-dr12_smooth",
        "merging-dr8_merger",
        {"smooth-or-featured-dr5_smooth", "smooth-or-featured-dr12_artifact", "bulge-size-dr8_moderate"},
    ),
    "gz-hubble": (
        [3, 3, 2, 6, 2, 3, 2, 2, 3, 6, 4, 2, 2],
        "smooth-or-featured-hubble_smooth",
        "clumps-embedded-larger-object-hubble_no",
        {"clump-count-hubble_5-plus", "galaxy-symmetrical-hubble_yes", "smooth-or-featured-hubble_features"},
    ),
    "gz-candels": (
        [3, 3, 2, 6, 2, 2, 2, 2, 3, 6, 3, 4],
        "smooth-or-featured-candels_smooth",
        "merging-candels_neither",
        {"edge-on-bulge-candels_yes", "bulge-size-candels_obvious", "spiral-arm-count-candels_5-plus"},
    ),
}


@pytest.mark.parametrize("name", GALAXY_DATASETS)
def test_vote_counts_have_the_columns_of_galaxy_datasets(name: str) -> None:
    sizes, first, last, some = GALAXY_DATASETS[name]
    schema = load_schema(name)
    assert schema.votes == "counts"
    assert [len(question.answers) for question in schema.questions] == sizes
    assert (schema.columns[0], schema.columns[-1]) == (first, last)
    assert some <= set(schema.columns)
    for question in schema.questions:
        assert [answer.column for answer in question.answers] == [f"{question.name}_{a.name}" for a in question.answers]
    assert schema.published_columns[0] == f"{first}_fraction"
    assert schema.prediction_columns[0] == first.replace("-", "_")


@given(st.lists(st.text(max_size=4), max_size=6, unique=True))
def test_names_of_columns_are_identifiers_and_differ(names: list[str]) -> None:
    found = identifiers(names)
    assert len(set(found)) == len(names)
    assert all(name.isidentifier() for name in found)
    assert identifiers(["a-b", "a_b", "3d", "Größe"]) == ("a_b", "a_b_2", "_3d", "Größe")


@pytest.mark.parametrize(
    ("name", "question", "parents"),
    [
        ("gz2", "something-odd-gz2", {"smooth-or-featured-gz2_smooth", "smooth-or-featured-gz2_featured-or-disk"}),
        ("gz2", "bar-gz2", {"disk-edge-on-gz2_no"}),
        ("gz-decals-dr5", "merging-dr5", {"smooth-or-featured-dr5_smooth", "smooth-or-featured-dr5_featured-or-disk"}),
        ("gz-candels", "merging-candels", {"smooth-or-featured-candels_smooth", "smooth-or-featured-candels_features"}),
        (
            "gz-hubble",
            "clumps-embedded-larger-object-hubble",
            {"galaxy-symmetrical-hubble_yes", "galaxy-symmetrical-hubble_no"},
        ),
        ("gz-hubble", "spiral-winding-hubble", {"has-spiral-arms-hubble_yes"}),
    ],
)
def test_questions_hang_on_the_answers_of_the_papers(name: str, question: str, parents: set[str]) -> None:
    asked = {q.name: q for q in load_schema(name).questions}
    assert set(asked[question].parents) == parents


def test_a_decals_tree_has_one_root_and_desi_one_for_each_campaign() -> None:
    trees = [schema for schema in map(load_schema, BUNDLED) if isinstance(schema, TreeSchema)]
    roots = {tree.name: [q.name for q in tree.questions if not q.parents] for tree in trees}
    assert roots["gz-decals-dr5"] == ["smooth-or-featured-dr5"]
    assert roots["gz-desi"] == [f"smooth-or-featured-{campaign}" for campaign in ("dr12", "dr5", "dr8")]
    assert roots["gz-challenge"] == ["smooth-or-featured", "anything-odd"]


def test_galaxy10_classes_stand_in_the_order_of_their_numbers() -> None:
    table = pd.DataFrame({"id_str": ["a", "b", "c"], "ans": np.array([0, 5, 9], dtype=np.uint8)})
    for name, labels in {
        "galaxy10-decals": ["Disturbed Galaxies", "Barred Spiral Galaxies", "Edge-on Galaxies with Bulge"],
        "galaxy10-sdss": ["Disk, Face-on, No Spiral", "Disk, Edge-on, Boxy Bulge", "Disk, Face-on, Loose Spiral"],
    }.items():
        schema = load_schema(name)
        check_labels(table, schema, "g10")
        assert class_indices(table, schema, "g10").tolist() == [0, 5, 9]
        assert class_indices(table.assign(ans=labels), schema, "g10").tolist() == [0, 5, 9]


def test_the_published_desi_catalogue_has_fractions_of_those_asked() -> None:
    schema = load_schema("gz-desi-catalog")
    table = pd.DataFrame({"id_str": ["a"]} | {column: [np.nan] for column in schema.columns})
    part = schema.slices["merging"]
    table.loc[0, list(schema.columns[part])] = [0.7, 0.1, 0.1, 0.1]
    check_labels(table, schema, "desi")
    assert schema.columns[part][0] == "merging_none_fraction"


# Real tables


@pytest.mark.skipif(not (DATA / "galaxy-zoo-challenge").is_dir(), reason="needs shared/data/galaxy-zoo-challenge")
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_challenge_is_accepted(split: str) -> None:
    files = sorted((DATA / "galaxy-zoo-challenge").glob(f"{split}-*.parquet"))
    tree, classes = load_schema("gz-challenge"), load_schema("five-classes")
    columns = ["id_str", "five_class", *tree.columns]
    table = pd.concat([pd.read_parquet(file, columns=columns) for file in files], ignore_index=True)
    check_labels(table, tree, split)
    check_labels(table, classes, split)
    counts = np.bincount(class_indices(table, classes, split) + 1, minlength=6)
    assert counts.min() > 0
    assert counts[0] == table["five_class"].isna().sum()


@pytest.mark.skipif(not (DATA / "efigi").is_dir(), reason="needs shared/data/efigi")
def test_efigi_is_accepted_with_all_its_columns() -> None:
    file = next((DATA / "efigi").glob("*.parquet"))
    schema = load_schema("efigi")
    names = [name for name in pq.read_schema(file).names if name not in ("image", "split")]
    table = pd.read_parquet(file, columns=names)
    limits = [c for q in schema.quantities for c in (q.lower_column, q.upper_column)]
    assert set(names) - {"id_str"} == {*schema.columns, *limits}
    check_labels(table, schema, "efigi")
    steps = table["T"].to_numpy()
    assert (steps == -1).any(), "-1 is a type"
    with pytest.raises(SchemaError, match=r"T is outside -6 to 11 \(1 such rows\)"):
        check_labels(table.assign(T=np.where(np.arange(len(table)) == 3, 12, table["T"])), schema, "efigi")
    with pytest.raises(SchemaError, match="Arm_Strength_sup is outside 0 to 1"):
        check_labels(table.assign(Arm_Strength_sup=1.5), schema, "efigi")


# A malformed schema is refused by name


def _broken(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`base` with the value at a path such as question.0.name replaced, or removed where it is None."""
    table = _copy(base)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = table
    for part in way:
        place = place[part]
    if value is None:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return table


@pytest.mark.parametrize(
    ("base", "path", "value", "message"),
    [
        (TREE, "name", None, "'name' is missing"),
        (TREE, "title", None, "'title' is missing"),
        (TREE, "kind", None, "'kind' is missing"),
        (TREE, "name", "", "can't be empty"),
        (TREE, "title", 3, "'title' must be text, not the number 3"),
        (TREE, "kind", "forest", "kind = 'forest' must be one of tree, classes, quantities"),
        (TREE, "kind", ["tree"], "'kind' must be text"),
        (TREE, "votes", "count", "votes = 'count' must be one of"),
        (TREE, "votes", "counts", "relative_to is for vote fractions"),
        (TREE, "tolerance", "0.1", "'tolerance' must be a finite number, not the text '0.1'"),
        (TREE, "tolerance", True, "'tolerance' must be a finite number, not true or false"),
        (TREE, "tolerance", float("nan"), "'tolerance' must be a finite number"),
        (TREE, "tolerance", -0.1, "tolerance = -0.1 must be 0 or more"),
        (TREE, "sources", "a paper", "'sources' must be a list of text"),
        (TREE, "questions", [], "unknown key 'questions'; did you mean 'question'?"),
        (TREE, "relative", "asked", "unknown key 'relative'; did you mean 'relative_to'?"),
        (TREE, "class", [{"name": "a", "label": "b"}], "class belongs to kind = 'classes'"),
        (TREE, "label_column", "x", "label_column belongs to kind = 'classes'"),
        (TREE, "quantity", [], "quantity belongs to kind = 'quantities', not 'tree'"),
        (QUANTITIES, "votes", "counts", "votes belongs to kind = 'tree', not 'quantities'"),
        (QUANTITIES, "volunteers", 40, "volunteers belongs to kind = 'tree', not 'quantities'"),
        (TREE, "question", [], "has no question"),
        (TREE, "question", "shape", "'question' must be a list of tables, not the text 'shape'"),
        (TREE, "question.1", "bar", "question 2 must be a table"),
        (TREE, "question.1.name", None, "question 2: 'name' is missing"),
        (TREE, "question.1.name", "shape", "duplicate question 'shape'"),
        (TREE, "question.1.parents", "shape_disk", "question 'bar': 'parents' must be a list of text"),
        (TREE, "question.1.parents", [1], "question 'bar': 'parents' must be a list of text"),
        (TREE, "question.1.parents", ["shape_disc"], "question 'bar' has the unknown parent 'shape_disc'"),
        (TREE, "question.1.parents", ["shape_disk", "shape_disk"], "duplicate parent of question 'bar'"),
        (TREE, "question.1.parents", ["bar_yes"], "the questions form a cycle: bar -> bar"),
        (TREE, "question.0.parents", ["odd_yes"], "the questions form a cycle: "),
        (TREE, "question.1.parent", ["shape_disk"], "unknown key 'parent'; did you mean 'parents'?"),
        (TREE, "question.1.answers", None, "question 'bar': 'answers' is missing"),
        (TREE, "question.1.answers", "yes", "'answers' must be a list of tables"),
        (TREE, "question.1.answers", ["yes", "no"], "question 'bar': answers 1 must be a table"),
        (TREE, "question.1.answers.1", None, "needs a name and two answers or more"),
        (TREE, "question.1.answers.1.column", None, "question 'bar': answers 'no': 'column' is missing"),
        (TREE, "question.1.answers.1.column", "", "'' can't be the name of a label column"),
        (TREE, "question.1.answers.1.column", "id_str", "'id_str' can't be the name of a label column"),
        (TREE, "question.1.answers.1.column", "bar_yes", "duplicate column 'bar_yes'"),
        (TREE, "question.1.answers.1.column", "shape_star", "duplicate column 'shape_star'"),
        (TREE, "question.1.answers.1.name", "yes", "duplicate answer of question 'bar': 'yes'"),
        (TREE, "question.1.answers.1.colour", "red", "unknown key 'colour'; did you mean 'column'?"),
        (CLASSES, "label_column", None, "needs a label_column"),
        (CLASSES, "class.1", None, "two [[class]] entries or more"),
        (CLASSES, "class.1.name", "e", "duplicate class 'e'"),
        (CLASSES, "class.1.label", "e", "duplicate class 'e'"),
        (CLASSES, "class.1.label", 2, "class 's': 'label' must be text"),
        (QUANTITIES, "quantity", None, "has no quantity"),
        (QUANTITIES, "quantity.0.column", None, "quantity 1: 'column' is missing"),
        (QUANTITIES, "quantity.0.low", "zero", "quantity 'bulge': 'low' must be a finite number"),
        (QUANTITIES, "quantity.0.low", 1, "needs low < high"),
        (QUANTITIES, "quantity.0.high", float("inf"), "'high' must be a finite number"),
        (QUANTITIES, "quantity.0.step", 0, "step = 0 must divide low to high into whole steps"),
        (QUANTITIES, "quantity.0.step", 0.3, "step = 0.3 must divide low to high into whole steps"),
        (QUANTITIES, "quantity.0.missing", 1, "missing = 1 is one of its values"),
        (QUANTITIES, "quantity.0.lower_column", "bulge", "duplicate column 'bulge'"),
        (QUANTITIES, "quantity.0.upper_column", 1, "'upper_column' must be text"),
    ],
)
def test_a_malformed_schema_is_refused_by_name(
    tmp_path: Path, base: dict[str, Any], path: str, value: Any, message: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(tomli_w.dumps(base), encoding="utf-8")
    load_schema(file)
    file.write_text(tomli_w.dumps(_broken(base, path, value)), encoding="utf-8")
    with pytest.raises(SchemaError) as refusal:
        load_schema(file)
    assert message in str(refusal.value)
    assert str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_no_schema_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"broken\.toml is not valid TOML"):
        load_schema(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match="is not UTF-8 text"):
        load_schema(broken)
    with pytest.raises(SchemaError, match="cannot read"):
        load_schema(tmp_path / "absent.toml")
    with pytest.raises(SchemaError, match="did you mean 'gz-challenge'"):
        load_schema("gz-chalenge")
    with pytest.raises(SchemaError, match="must be a table, not the list"):
        schema_from_dict([1], "pack.json")  # type: ignore[arg-type]


# Labels


def test_labels_that_obey_the_tree_are_accepted_and_others_refused() -> None:
    schema, good = schema_from_dict(TREE), pd.DataFrame(GOOD)
    check_labels(good, schema, "good.csv")
    check_labels(good.drop(columns=["bar_yes", "bar_no"]), schema, "good.csv")
    for column, value, message in (
        ("shape_smooth", 0.6, "the fractions of question 'shape' don't obey"),
        ("bar_yes", 0.2, "the fractions of question 'bar' don't obey"),
        ("odd_no", 0.5, "the fractions of question 'odd' don't obey"),
        ("bar_no", -0.01, "outside 0 to 1"),
        ("odd_no", 1.01, "outside 0 to 1"),
        ("odd_no", np.inf, "outside 0 to 1"),
        ("bar_no", np.nan, "answered in part"),
    ):
        bad = good.copy()
        bad.loc[1, column] = value
        with pytest.raises(SchemaError, match=r"good\.csv, galaxy b: .*" + message) as refusal:
            check_labels(bad, schema, "good.csv")
        assert "(1 such rows)" in str(refusal.value)
    rounded = good.assign(shape_disk=[0.25, 1 + 2e-7], shape_smooth=[0.5, -2e-7])
    check_labels(rounded.drop(columns=["bar_yes", "bar_no"]), schema, "good.csv")


def test_a_question_nobody_answered_and_a_galaxy_without_labels_are_fine() -> None:
    schema, table = schema_from_dict(TREE), pd.DataFrame(GOOD)
    table.loc[0, ["bar_yes", "bar_no"]] = np.nan
    table.loc[1, list(schema.columns)] = np.nan
    check_labels(table, schema, "t")
    # a child known where its parents are not says nothing that could be checked
    table.loc[1, ["bar_yes", "bar_no"]] = 0.1, 0.2
    check_labels(table, schema, "t")


def test_labels_of_another_schema_or_none_at_all_are_refused() -> None:
    schema, good = schema_from_dict(TREE), pd.DataFrame(GOOD)
    with pytest.raises(SchemaError, match="none of the columns of schema 'gz2'"):
        check_labels(good, load_schema("gz2"), "t")
    with pytest.raises(SchemaError, match=r"every label of schema 'mine' is missing"):
        check_labels(good.assign(**dict.fromkeys(schema.columns, np.nan)), schema, "t")
    with pytest.raises(SchemaError, match="has no column 'bar_no' but has others of question 'bar'"):
        check_labels(good.drop(columns="bar_no"), schema, "t")
    with pytest.raises(SchemaError, match="has no column 'kind'"):
        class_indices(good, schema_from_dict(CLASSES), "t")


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32", "Int64", "Float32", "int64[pyarrow]", ">i4"])
def test_counts_of_every_numeric_type_are_accepted(dtype: str) -> None:
    schema = load_schema("gz2")
    counts = {column: pd.Series([3, 0, 7]).astype(dtype) for column in schema.columns}
    table = pd.DataFrame({"id_str": ["a", "b", "c"]} | counts)
    check_labels(table, schema, "t")
    if dtype != "uint8":
        negative = pd.Series([-1, 0, 0]).astype(dtype)
        with pytest.raises(SchemaError, match=r"galaxy a: .* has a negative or infinite vote count"):
            check_labels(table.assign(**{schema.columns[-1]: negative}), schema, "t")


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "int64[pyarrow]"])
def test_the_missing_value_of_nullable_types_is_missing(dtype: str) -> None:
    schema = load_schema("gz2")
    table = pd.DataFrame({column: pd.Series([3, 0]).astype(dtype) for column in schema.columns}).assign(
        id_str=["a", "b"]
    )
    yes, no = (answer.column for answer in schema.questions[1].answers)
    table.loc[1, [yes, no]] = pd.NA
    check_labels(table, schema, "t")
    table.loc[0, yes] = pd.NA
    with pytest.raises(SchemaError, match="galaxy a: question 'disk-edge-on-gz2' is answered in part"):
        check_labels(table, schema, "t")


def test_text_and_truth_are_no_numbers_but_an_empty_column_is_missing() -> None:
    schema, good = schema_from_dict(TREE), pd.DataFrame(GOOD)
    for wrong in (["0.5", "0.1"], [True, False], pd.Series(["0.5", None], dtype="string")):
        with pytest.raises(SchemaError, match="column 'bar_yes' of schema 'mine' is not numeric"):
            check_labels(good.assign(bar_yes=wrong), schema, "t")
    check_labels(good.assign(bar_yes=[None, None], bar_no=[None, None]), schema, "t")


def test_quantities_are_checked_against_range_and_missing() -> None:
    schema = schema_from_dict(QUANTITIES)
    table = pd.DataFrame({"id_str": ["a", "b", "c"], "bulge": [0.5, -1.0, np.nan]})
    check_labels(table, schema, "t")
    with pytest.raises(SchemaError, match="galaxy b: bulge is outside 0 to 1"):
        check_labels(table.assign(bulge=[0, -2, 1]), schema, "t")
    with pytest.raises(SchemaError, match="galaxy a: bulge_inf is outside 0 to 1"):
        check_labels(table.assign(bulge_inf=[7, 0, 0]), schema, "t")


@pytest.mark.parametrize("dtype", [object, "string", "category", "string[pyarrow]"])
def test_classes_by_name_label_or_index_in_any_text_type(dtype: Any) -> None:
    schema = schema_from_dict(CLASSES)
    labels = pd.Series(["s", "elliptical", None, "1", "0"], dtype=dtype)
    table = pd.DataFrame({"id_str": list("abcde"), "kind": labels}, index=[7, 7, 7, 7, 7])
    table["kind"] = labels.array
    assert class_indices(table, schema, "t").tolist() == [1, 0, -1, 1, 0]
    check_labels(table, schema, "t")


@pytest.mark.parametrize(
    ("labels", "indices"),
    [
        ([1, 0], [1, 0]),
        ([1.0, np.nan], [1, -1]),
        (np.array([1, 0], dtype=np.int8), [1, 0]),
        (np.array([0, 1], dtype=np.float32), [0, 1]),
        (pd.array([None, 1], dtype="Int64"), [-1, 1]),
    ],
)
def test_classes_by_number(labels: Any, indices: list[int]) -> None:
    table = pd.DataFrame({"id_str": ["a", "b"], "kind": labels})
    found = class_indices(table, schema_from_dict(CLASSES), "t")
    assert found.tolist() == indices
    assert found.dtype == np.int64


@pytest.mark.parametrize("label", ["x", 2, -1, 0.5, "S", ""])
def test_a_label_that_is_no_class_is_refused(label: Any) -> None:
    table = pd.DataFrame({"id_str": ["a", "b"], "kind": [0, label]})
    with pytest.raises(SchemaError, match=r"t, galaxy b: .* is not a class of schema 'kinds' \(e, s\)"):
        check_labels(table, schema_from_dict(CLASSES), "t")


def test_a_class_named_with_a_number_wins_over_an_index() -> None:
    classes = [{"name": "1", "label": "one"}, {"name": "2", "label": "two"}]
    table = pd.DataFrame({"id_str": ["a", "b"], "kind": [1, 2]})
    assert class_indices(table, schema_from_dict(CLASSES | {"class": classes}), "t").tolist() == [0, 1]


# Properties


@st.composite
def volunteers_trees(draw_value: st.DrawFn) -> Schema:
    """A tree that volunteers can walk: a question's parents are answers of which each volunteer gave at most one.

    `fronts` are sets of such answers; a question asked after some of a front leads to a new front, in which its own
    answers stand for its parents.
    """
    questions: list[Question] = []
    fronts: list[list[str]] = [[]]
    for number in range(draw_value(st.integers(1, 8))):
        front = draw_value(st.sampled_from(fronts))
        parents = draw_value(st.lists(st.sampled_from(front), unique=True)) if front else []
        answers = tuple(Answer(f"a{i}", f"q{number}_a{i}") for i in range(draw_value(st.integers(2, 4))))
        text = draw_value(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=60))
        questions.append(Question(f"q{number}", answers, tuple(parents), text))
        rest = [column for column in front if column not in parents] if parents else []
        fronts.append(rest + [answer.column for answer in answers])
    order = draw_value(st.permutations(questions))
    return TreeSchema("random", "Random", ("a source",), "fractions", "everyone", tuple(order))


def _fractions(schema: Schema, seed: int, galaxies: int) -> pd.DataFrame:
    """Fractions of everyone that obey the tree, each question's answers a random share of those who reached it."""
    rng = np.random.default_rng(seed)
    values = np.zeros((galaxies, len(schema.columns)))
    for question in schema.walk:
        reached = values[:, list(schema.parent_positions(question))].sum(axis=1) if question.parents else 1.0
        share = rng.dirichlet(np.ones(len(question.answers)), galaxies)
        values[:, schema.slices[question.name]] = share * np.reshape(reached, (-1, 1))
    table = pd.DataFrame(values, columns=list(schema.columns))
    return table.assign(id_str=[f"g{i}" for i in range(galaxies)])


def test_the_schemas_of_a_stored_model_are_written_again_to_the_letter() -> None:
    for head in read_manifest("default")["heads"]:
        assert json.dumps(schema_to_dict(schema_from_dict(head["schema"]))) == json.dumps(head["schema"])


@settings(max_examples=60, deadline=None)
@given(volunteers_trees())
def test_a_random_tree_round_trips_walks_and_is_drawn_whole(schema: Schema) -> None:
    assert schema_from_dict(json.loads(json.dumps(schema_to_dict(schema)))) == schema
    seen: set[str] = set()
    for question in schema.walk:
        assert set(question.parents) <= seen
        seen |= {answer.column for answer in question.answers}
    assert seen == set(schema.columns)
    picture = draw(schema)
    assert picture.count("▸ q") == len(schema.questions)
    for column in schema.columns:
        assert sum(line.endswith(f" {column}") for line in picture.splitlines()) == 1


@settings(max_examples=60, deadline=None)
@given(volunteers_trees(), st.integers(0, 2**32 - 1), st.data())
def test_fractions_that_obey_a_tree_are_accepted_and_perturbed_ones_refused(
    schema: Schema, seed: int, data: st.DataObject
) -> None:
    table = _fractions(schema, seed, galaxies=3)
    check_labels(table, schema, "t")
    check_labels(table.astype(dict.fromkeys(schema.columns, "float32")), schema, "t")
    column = data.draw(st.sampled_from(schema.columns))
    row = data.draw(st.integers(0, 2))
    change = data.draw(st.floats(1.5, 50)) * schema.tolerance * data.draw(st.sampled_from([-1, 1]))
    bad = table.copy()
    bad.loc[row, column] += change
    with pytest.raises(SchemaError, match=f"t, galaxy g{row}: "):
        check_labels(bad, schema, "t")


@settings(max_examples=40, deadline=None)
@given(volunteers_trees(), st.integers(0, 2**32 - 1), st.data())
def test_a_question_is_answered_whole_or_not_at_all(schema: Schema, seed: int, data: st.DataObject) -> None:
    table = _fractions(schema, seed, galaxies=2)
    question = data.draw(st.sampled_from(schema.questions))
    columns = [answer.column for answer in question.answers]
    table.loc[1, columns] = np.nan
    check_labels(table, schema, "t")
    table.loc[0, columns[: data.draw(st.integers(1, len(columns) - 1))]] = np.nan
    with pytest.raises(SchemaError, match=f"galaxy g0: question '{question.name}' is answered in part"):
        check_labels(table, schema, "t")


NAMES = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.data())
def test_every_way_of_naming_a_class_gives_its_index(names: list[str], data: st.DataObject) -> None:
    classes = tuple(GalaxyClass(name, f"label of {name}") for name in names)
    schema = ClassSchema("c", "C", (), label_column="kind", classes=classes)
    assert schema_from_dict(schema_to_dict(schema)) == schema
    indices = data.draw(st.lists(st.integers(-1, len(names) - 1), min_size=1, max_size=20))
    labels: list[Any] = []
    for index in indices:
        ways = [names[index], classes[index].label, index, str(index), float(index)] if index >= 0 else [None, np.nan]
        labels.append(data.draw(st.sampled_from(ways)))
    table = pd.DataFrame({"id_str": range(len(labels)), "kind": pd.Series(labels, dtype=object)})
    assert class_indices(table, schema, "t").tolist() == indices


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.booleans()), min_size=1, max_size=4))
def test_quantities_round_trip(rows: list[tuple[float, float, bool]]) -> None:
    quantities = tuple(
        Quantity(f"x{i}", low, low + width, step=width if limits else None, lower_column=f"l{i}" if limits else None)
        for i, (low, width, limits) in enumerate(rows)
        if round(((low + width) - low) / width, 3) == 1
    )
    if quantities:
        schema = QuantitySchema("q", "Q", ("s",), quantities=quantities, tolerance=0.5, id_column="name")
        assert schema_from_dict(json.loads(json.dumps(schema_to_dict(schema)))) == schema


# The how-to page


def test_the_page_lists_every_bundled_schema_and_its_examples_are_whole() -> None:
    page = (Path(__file__).parents[1] / "docs" / "schemas.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \| (?:tree|classes|quantities) \|", page, re.MULTILINE)
    assert sorted(listed) == BUNDLED
    examples = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    assert {schema_from_dict(example).kind for example in examples} == {"tree", "classes", "quantities"}
