"""Every recipe of the four reports on the shared galaxies, and the table of docs/results.md.

    python benchmarks/reports.py ../shared/data/galaxy-zoo-challenge runs/reports

Two hours on two cores; killed and called again it goes on where it stopped. Recipes that two cores can't finish are cut
short as the files in `reports` say, or as the changes below do. Figures are those of the test split.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tuningfork import load_study, make_pack, run_study, simulate_galaxies
from tuningfork.images import Geometry

HERE = Path(__file__).parent / "reports"
TRUE_MIX = ["block=complete_high"]  # benchmark 1
FIVE = ["head.0.schema=five-classes"]
SIMULATED = ["head.0.schema=simulated-classes"]

# Study, pack, changes, rows.
STUDIES = [
    ("serrano/own", "whole", [], TRUE_MIX),
    ("khunger/augmentation", "whole", [], TRUE_MIX),
    (HERE / "fractions.toml", "whole", [], TRUE_MIX),
    (HERE / "classes.toml", "whole", [], []),
    ("deep-galaxies/augmentations-small", "centre", [*FIVE, "run.galaxies=2000"], []),
    ("deep-galaxies/rotation-jitter-small", "centre", [*FIVE, "run.galaxies=2000"], []),
    ("khunger/optimisers", "whole", ["run.galaxies=2000", "optim.epochs=10"], TRUE_MIX),
    ("khunger/rates", "whole", ["run.galaxies=2000", "optim.epochs=10"], TRUE_MIX),
    ("khunger/batches", "whole", ["run.galaxies=2000", "optim.epochs=10"], TRUE_MIX),
    ("deep-galaxies/augmentations-small", "simulated", SIMULATED, []),
]


def packs(galaxies: Path, out: Path) -> dict[str, Path]:
    """The packs the studies need: the whole frame at 128 px, its centre at full resolution, and simulated galaxies."""
    schemas = ("gz-challenge", "five-classes")
    make_pack(galaxies, out / "whole", schemas=schemas, geometry=Geometry(1.0, 128, 3))
    make_pack(galaxies, out / "centre", schemas=schemas[1:], geometry=Geometry(0.25, 53, 3))
    simulate_galaxies(out / "galaxies", 2400, 1)
    make_pack(
        out / "galaxies" / "catalog.parquet",
        out / "simulated",
        schemas=("simulated-classes",),
        geometry=Geometry(0.25, 53, 3),
    )
    return {name: out / name for name in ("whole", "centre", "simulated")}


def row(study: str, pack: str, run: dict) -> str:
    """One line of the table."""
    if "error" in run:
        return f"| `{run['recipe']}` | {run['label']} | {run['error']} |||||||"
    wanted = ("rmse", "accuracy")
    figure = next(entry for entry in run["figures"] if entry["figure"] in wanted)
    reported = ", ".join(f"{entry['figure']} {entry['value']:g}" for entry in run["reported"]) or "–"
    low, high = figure["interval"]
    measured = f"{figure['figure']} **{figure['value']:.4f}** ({low:.4f} to {high:.4f})"
    trained = f"{run['galaxies']:,} galaxies, {run['epochs']} epochs"
    return (
        f"| {study} | {run['label']} | `{run['recipe']}` | {reported} | {measured} | {figure['n']:,} | {pack} | "
        f"{trained} | {run['seconds'] / 60:.1f} min |"
    )


def main() -> None:
    """Run what is not there yet and print the table."""
    galaxies, out = Path(sys.argv[1]), Path(sys.argv[2])
    made = packs(galaxies, out)
    lines = []
    for study, pack, changes, where in STUDIES:
        name = Path(study).stem if isinstance(study, Path) else study
        folder = out / f"{name.replace('/', '-')}-{pack}"
        run_study(load_study(study), made[pack], folder, changes=changes, split="test", where=where)
        runs = json.loads((folder / "study.json").read_text())["runs"]
        lines += [row(name, pack, run) for run in runs]
        print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
