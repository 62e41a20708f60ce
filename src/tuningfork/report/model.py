"""The section of a model: what it is, how it was trained, how well it did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuningfork.errors import first_line
from tuningfork.evaluation.text import in_words, number
from tuningfork.plotting.style import BLUE, ORANGE, SINGLE, figure, styled, words
from tuningfork.report.adaptation import adaptation_blocks
from tuningfork.report.blocks import Block, Facts, Note, Picture, Pictures, Section, Table, Text
from tuningfork.report.pictures import chart_uri, file_uri, strip_uris
from tuningfork.report.provenance import flat, provenance

STRIP = "training.png"  # of galaxies that a model was trained on


def model_section(folder: Path, manifest: dict[str, Any], *, brief: bool = False) -> Section:
    """Encoder, heads, recipe, training curves, figures and card; what the folder lacks is left out.

    A `brief` one has no curves and no pictures.
    """
    recipe, data = manifest.get("recipe") or {}, manifest.get("data") or {}
    blocks: list[Block] = [*(() if brief else _galaxies(folder)), Facts(_facts(manifest))]
    if manifest.get("figures"):
        rows = [
            (_title(key.removeprefix("val_")), number(value))
            for key, value in manifest["figures"].items()
            if key != "epoch"
        ]
        epoch = manifest["figures"].get("epoch")
        chosen = "On galaxies the model was chosen by, so a little flattering; an evaluation gives honest ones."
        title = "Figures on the validation split" + (f", epoch {epoch}" if epoch is not None else "")
        blocks.append(Table(title, ("figure", "value"), rows, note=chosen if recipe else ""))
    if manifest.get("adaptation") and not brief:
        blocks += adaptation_blocks(manifest["adaptation"])
    if not brief:
        blocks += _curves(folder / "history.csv")
        blocks += _finder(folder / "lr-finder.csv", (manifest.get("training") or {}).get("lr"))
        blocks += _augmented(folder / "augmented.png")
    if recipe:
        blocks.append(Facts(flat(recipe), "Recipe", folded=True))
    card = folder / "card.md"
    if card.exists():
        blocks.append(Text("Model card", card.read_text(encoding="utf-8")))
    adapted = manifest.get("adaptation") or {}
    blocks.append(provenance({**manifest, "inputs": _inputs(data, adapted)}, _command(folder.name, manifest)))
    title = str(recipe.get("title") or recipe.get("name") or "")
    title = f"{adapted['model']}, adapted to the {adapted['where']}" if adapted else title
    return Section("Model", folder.name, title, blocks, folded=brief)


def _inputs(data: dict[str, Any], adapted: dict[str, Any]) -> dict[str, Any]:
    """The packs that a model was made of."""
    if not adapted:
        return {"data": data}
    return {"adapted by": {"pack": adapted["pack"], "sha256": adapted.get("data")}, "trained on": data}


def _command(name: str, manifest: dict[str, Any]) -> str:
    """What makes the model again."""
    data = manifest.get("data") or {}
    if adapted := manifest.get("adaptation"):
        chosen = "".join(f" --where {row}" for row in adapted.get("rows", ()))
        split = adapted.get("split", "all")
        return f"tuningfork adapt {adapted['model']} {adapted['pack']} {name} --split {split}{chosen}"
    return f"tuningfork train {name}/recipe.toml {data.get('pack', 'PACK')} {name}" if manifest.get("recipe") else ""


def _galaxies(folder: Path) -> Iterator[Pictures]:
    """Some that it was trained on, as it sees them."""
    uris = strip_uris(folder / STRIP)
    if uris:
        pictures = [Picture(uri, "trained on") for uri in uris]
        yield Pictures(pictures, note="Galaxies that it was trained on, as it sees them.", thumbnails=True)


def _augmented(path: Path) -> Iterator[Pictures]:
    if path.exists():
        picture = Picture(file_uri(path), "The first column is what validation sees.", wide=True, photo=True)
        yield Pictures([picture], "Augmentation", folded=True)


def _facts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    encoder, geometry, seen = (manifest.get(key) or {} for key in ("encoder", "geometry", "input"))
    options = ", ".join(f"{key} {value}" for key, value in (encoder.get("options") or {}).items())
    rows = [("Encoder", encoder.get("name", "?") + (f" ({options})" if options else ""))]
    if manifest.get("members"):
        rows = [("Ensemble", f"the mean of {len(manifest['members'])} models; of the first:"), *rows]
    for head in manifest.get("heads") or []:
        schema = head.get("schema") or {}
        rows.append(("Head", f"{head.get('kind', '?')}: {schema.get('title') or schema.get('name', '?')}"))
    if geometry:
        rows.append(("Packs it takes", _geometry(geometry)))
    if seen.get("size"):
        rows.append(("What it sees", _geometry(seen)))
    counts = (manifest.get("data") or {}).get("n") or {}
    base = f"{manifest['adaptation']['model']}: t" if manifest.get("adaptation") else "T"
    if counts:
        rows.append((f"{base}rained on", ", ".join(f"{split} {n:,}" for split, n in counts.items())))
    training = manifest.get("training") or {}
    if training.get("seconds"):
        seconds = training["seconds"]
        took = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.1f} minutes"
        rows.append((f"{base}raining took", f"{took} on {training.get('device', '?')}"))
    return rows


def _geometry(table: dict[str, Any]) -> str:
    text = f"{table.get('size')} × {table.get('size')} pixels"
    text += f", {table['channels']} channels" if table.get("channels") else ""
    field = table.get("field", 1.0)
    if table.get("located"):
        return f"{text}; the galaxy, which it looks for in the frame"
    return text + ("; the whole frame" if field == 1 else f"; the central {field:g} of the frame")


def _curves(path: Path) -> list[Block]:
    """A chart for each quantity in history.csv: losses first, then metrics, training and validation in one chart."""
    if not path.exists():
        return []
    try:
        history = pd.read_csv(path)
    except (ValueError, OSError) as error:
        return [Note(f"history.csv can't be read: {first_line(error)}", warning=True)]
    history = history.select_dtypes("number").dropna(axis=1, how="all")
    if history.empty:
        return []
    epochs = history["epoch"].to_numpy() if "epoch" in history else np.arange(1, len(history) + 1)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for column in history.columns.difference(["epoch", "seconds"], sort=False):
        split, _, rest = column.partition("_")
        name, line = (rest, split) if split in ("train", "val") and rest else (column, "")
        groups.setdefault(name, {})[line] = history[column].to_numpy()
    order = sorted(groups, key=lambda name: (not name.endswith("loss"), name == "lr"))
    with styled():
        pictures = [
            Picture(chart_uri(_chart(name, epochs, groups[name])), _caption(name, groups[name])) for name in order
        ]
    return [Pictures(pictures, "Training")]


def _finder(path: Path, chosen: float | None) -> list[Block]:
    """The learning-rate finder's curve, with the rate it chose."""
    if not path.exists():
        return []
    curve = pd.read_csv(path)
    with styled():
        drawn = figure("Learning-rate finder", SINGLE, 2.4)
        axes = drawn.subplots()
        axes.plot(curve["lr"], curve["loss"], color=BLUE)
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
        if chosen is not None:
            axes.axvline(chosen, color=ORANGE, linestyle="--", linewidth=1.2)
            axes.annotate(f" {chosen:g}", (chosen, curve["loss"].max()), color=ORANGE)
        uri = chart_uri(drawn)
    return [Pictures([Picture(uri, f"The rate chosen, where the loss falls fastest: {number(chosen)}")])]


def _chart(name: str, epochs: np.ndarray, lines: dict[str, np.ndarray]) -> Figure:
    drawn = figure(_title(name), SINGLE, 2.4)
    axes = drawn.subplots()
    looks = {"train": (ORANGE, "--", "training"), "val": (BLUE, "-", "validation"), "": (BLUE, "-", "")}
    for line, values in lines.items():
        colour, dashes, label = looks[line]
        marker = "o" if len(epochs) < 16 else None
        axes.plot(epochs, values, color=colour, linestyle=dashes, marker=marker, label=label)
    if len(lines) > 1:
        axes.legend()
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    return drawn


def _title(name: str) -> str:
    """``gz-challenge_rmse`` becomes ``gz-challenge: RMSE``."""
    schema, _, metric = name.rpartition("_")
    if not schema:
        return "Learning rate" if name == "lr" else words(name)
    return f"{schema}: {in_words(metric)}"


def _caption(name: str, lines: dict[str, np.ndarray]) -> str:
    ends = []
    for line, values in lines.items():
        known = values[np.isfinite(values)]
        said = {"train": "training ", "val": "validation "}.get(line, "")
        ends.append(f"{said}from {number(float(known[0]))} to {number(float(known[-1]))}")
    return f"{_title(name)}: {', '.join(ends)}"
