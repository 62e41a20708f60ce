"""The section of an explanation: what each galaxy's answer rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuningfork.report.blocks import Block, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.pictures import file_uri
from tuningfork.report.provenance import provenance

SHOWN = 12  # galaxies; the folder holds the plots of all
NOTE = (
    "Grad-CAM: the distance of its centroid from the centre, in sides of the view, and the share of its weight in the "
    "central square of half the side (0.25 if spread evenly). Largest drop: how much the answer falls when the patch "
    "it needs most is hidden, and where that patch lies from the left and the top, 0 to 1."
)


def _part(view: dict[str, Any]) -> str:
    if view.get("located"):
        return "the galaxy, which it looks for in the frame"
    return f"the central {view['field']:g} of the frame"


def explanation_section(folder: Path, manifest: dict[str, Any]) -> Section:
    """Which model, the figures of each galaxy, the plots of the first, images that could not be read."""
    galaxies, view, errors = manifest["galaxies"], manifest["view"], manifest["errors"]
    facts = [
        ("Model", manifest["model"]),
        ("Galaxies", f"{len(galaxies):,}"),
        ("What it sees", f"{view['size']} × {view['size']} pixels, {_part(view)}"),
        ("Hidden patch", f"{view['patch']} × {view['patch']} pixels"),
        ("Unreadable images", f"{len(errors):,}"),
    ]
    header = ("galaxy", "answer", "predicted", "Grad-CAM centroid", "in the inner half", "largest drop", "at")
    blocks: list[Block] = [*_plots(folder, galaxies), Facts(facts)]
    if galaxies:
        blocks.append(Table("Answers and where they come from", header, [_row(g) for g in galaxies], 2, NOTE))
    noted = [(galaxy["id_str"], galaxy["note"]) for galaxy in galaxies if "note" in galaxy]
    if noted:
        blocks.append(Table("Read with a note", ("galaxy", "note"), noted, texts=2))
    if errors:
        rows = [(error["id_str"], error["error"]) for error in errors]
        blocks.append(Table("Unreadable images", ("galaxy", "error"), rows, texts=2, folded=True))
    blocks.append(provenance(manifest))
    return Section("Explanation", folder.name, f"what the model “{manifest['model']}” looks at", blocks)


def _row(galaxy: dict[str, Any]) -> tuple[str, ...]:
    cam, drop = galaxy["gradcam"], galaxy["occlusion"]
    central = [f"{cam[key]:.2f}" if cam[key] is not None else "–" for key in ("centroid_offset", "inner_half")]
    place = f"{drop['x']:.2f}, {drop['y']:.2f}"
    answer = f"{galaxy['words']}\n{galaxy['answer']}"
    return galaxy["id_str"], answer, f"{galaxy['value']:.2f}", *central, f"{drop['largest_drop']:.2f}", place


def _plots(folder: Path, galaxies: list[dict[str, Any]]) -> list[Block]:
    """What the first answers rest on, and, of the very first galaxy, the feature maps."""
    wanted = [
        (galaxy["plots"][0], f"{galaxy['id_str']}: what “{galaxy['words']}” rests on") for galaxy in galaxies[:SHOWN]
    ]
    wanted += [(galaxy["plots"][1], f"{galaxy['id_str']}: feature maps, layer by layer") for galaxy in galaxies[:1]]
    there = [(folder / Path(name).name, caption) for name, caption in wanted if (folder / Path(name).name).is_file()]
    blocks: list[Block] = []
    if there:
        blocks.append(
            Pictures([Picture(file_uri(path), caption, wide=True, photo=True) for path, caption in there], "Plots")
        )
    if len(there) < len(wanted):
        blocks.append(Note("Some plots are no longer there; run explain again.", warning=True))
    return blocks
