"""Recipes: checked before anything starts, saved resolved, typos named."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.errors import RecipeError
from tuningfork.models import HEADS, own_encoders
from tuningfork.models.heads.spec import KINDS
from tuningfork.schemas import load_schema
from tuningfork.training import bundled_recipes, load_recipe
from tuningfork.training.recipe import changed, check_recipe


def leaves(table: Any, path: str = "") -> list[str]:
    """The keys of all the values of a nested table, such as ``head.0.loss``."""
    parts = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    inner = [leaf for key, value in parts for leaf in leaves(value, f"{path}.{key}")]
    return inner or [path.removeprefix(".")]


WHOLE = load_recipe("tuningfork/frames")
LEAVES = leaves(WHOLE.model_dump(mode="json", by_alias=True))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner), max_leaves=4
)


@given(key=st.sampled_from(LEAVES), value=VALUES)
@settings(max_examples=300, deadline=None)
def test_any_value_of_any_key_is_taken_or_named(key: str, value: Any) -> None:
    try:
        recipe = changed(WHOLE, {key: value})
    except RecipeError as error:
        assert "\n" not in str(error).strip() and key.split(".", maxsplit=1)[0] in str(error)
    else:
        assert changed(recipe, {key: value}) == recipe
        assert all(math.isfinite(number) for number in numbers(recipe.model_dump()))


def numbers(value: Any) -> list[float]:
    """All the numbers in nested tables; what an encoder's options hold is checked with the encoder."""
    if isinstance(value, dict):
        return [number for key, each in value.items() if key != "options" for number in numbers(each)]
    if isinstance(value, list | tuple):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("name", bundled_recipes())
def test_every_bundled_recipe_is_sound(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title
    assert recipe.source
    for head in recipe.head:
        assert load_schema(head.schema_name).kind in HEADS[head.kind].schema_kinds
    assert recipe.encoder.name in own_encoders() or recipe.encoder.name


def test_every_kind_of_head_that_a_recipe_may_name_is_there() -> None:
    assert list(HEADS) == KINDS


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("optim.learning_rat=1", "known here|did you mean"),
        ("optim.epoch=3", "did you mean 'epochs'"),
        ("inptu.size=3", "did you mean 'input'"),
        ("augmentation.rotations=3", "did you mean 'rotation'"),
        ("head.0.los=mse", "did you mean 'loss'"),
        ("optim.lr=-1", "optim.lr: input should be greater than 0"),
        ("optim.lr=fast", "optim.lr"),
        ("optim.name=adamm", "optim.name"),
        ("head.7.loss=mse", "there is no '7'"),
        ("optim.lr", "write it as key=value"),
    ],
)
def test_a_wrong_key_or_value_is_named(recipe_file: Path, change: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load_recipe(recipe_file, [change])


def test_changes_are_applied(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["optim.lr=0.5", "encoder.options.width=7", "augmentation.zoom=[0.5, 2]"])
    assert recipe.optim.lr == 0.5
    assert recipe.encoder.options == {"width": 7}
    assert recipe.augmentation.zoom == (0.5, 2)


def test_an_unknown_recipe_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'tuningfork/small'"):
        load_recipe("tuningfork/smal")
    with pytest.raises(RecipeError, match="cannot read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(RecipeError, match="not valid TOML"):
        load_recipe(tmp_path / "broken.toml")


@given(
    lr=st.floats(1e-6, 10),
    epochs=st.integers(1, 500),
    rotation=st.floats(0, 180),
    hidden=st.lists(st.integers(1, 512), max_size=3),
    ema=st.none() | st.floats(0.01, 0.9999),
)
def test_a_resolved_recipe_reads_back_equal(
    lr: float, epochs: int, rotation: float, hidden: list[int], ema: float | None
) -> None:
    table = {
        "name": "x",
        "encoder": {"name": "plain"},
        "input": {"field": 0.5, "size": 64},
        "head": [{"schema": "gz-challenge", "kind": "tree", "hidden": hidden}],
        "augmentation": {"rotation": rotation},
        "optim": {"lr": lr, "epochs": epochs},
        "run": {} if ema is None else {"ema": ema},
    }
    import tomllib

    recipe = check_recipe(table, "here")
    text = tomli_w.dumps(recipe.model_dump(mode="json", by_alias=True, exclude_none=True))
    assert check_recipe(tomllib.loads(text), "there") == recipe


def test_another_kind_of_head_leaves_out_what_goes_with_the_first() -> None:
    own = {"head.0.loss": "mse", "head.0.class_weights": "balanced", "head.0.label_smoothing": 0.1}
    recipe = changed(load_recipe("tuningfork/fractions"), own)
    same, other = (changed(recipe, {"head.0.kind": kind}).head[0] for kind in ("tree", "classes"))
    assert (same.loss, same.class_weights, same.label_smoothing) == ("mse", "balanced", 0.1)
    assert (other.loss, other.class_weights, other.label_smoothing) == ("", None, 0.0)
    assert load_recipe("tuningfork/fractions", ["head.0.loss=focal", "head.0.kind=classes"]).head[0].loss == "focal"


def test_another_encoder_leaves_out_the_options_of_the_first(
    recipe_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert load_recipe("tuningfork/fractions", ["encoder.name=plain"]).encoder.options == {"width": 32}
    assert not caplog.records
    for changes in (["encoder.name=resnet18"], ["encoder.name=plain", "encoder.name=resnet18"]):
        assert load_recipe("tuningfork/fractions", changes).encoder.options == {}
    assert "encoder.options = {'width': 32} is left out: it is for plain" in caplog.text
    asked = ["encoder.options.drop_path_rate=0.1", "encoder.name=resnet18"]
    assert load_recipe("tuningfork/fractions", asked).encoder.options == {"drop_path_rate": 0.1}
    other = changed(load_recipe("tuningfork/fractions"), {"encoder.name": "resnet18", "input.size": 32})
    assert (other.encoder.name, other.encoder.options, other.input.size) == ("resnet18", {}, 32)
    whole = ["encoder={name='equivariant', options={width=4}}"]
    assert load_recipe("tuningfork/fractions", whole).encoder.options == {"width": 4}


@pytest.mark.parametrize("change", ["augmentation.reframe.shar=1", "augmentation.reframe.zoom=[2, 1]"])
def test_a_wrong_reframing_is_named(change: str) -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'share'|\[low, high\]"):
        load_recipe("tuningfork/fractions", [change])
