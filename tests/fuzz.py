"""Files that are damaged at random, given to every reader: each is answered or refused, at no great cost.

A process of its own, since a reader may end it. What fails is printed, and kept in the folder `--keep`. Seeds are the
files in `corpus/seeds`; what was found once lies in `corpus/found` and is tried first.

    python tests/fuzz.py --seconds 60
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
MEMORY = 1500  # MB above what was used before
SECONDS = 10  # of the processor
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
NUMBERS = (b"-1", b"0", b"1e999", b"nan", b"99999999999999999999", b"1.5", b'""', b"[]", b"null", b"true")
TEXT = (".toml", ".json", ".csv", ".tsv", ".ecsv", ".vot", ".tbl")


def read_image(path: Path) -> None:
    """As predict reads it: an error is a row."""
    from tuningfork.images import Geometry, Reading
    from tuningfork.images.item import Item
    from tuningfork.images.stream import decode_item

    seen = decode_item((Item.of_file("1", str(path), path), {}), Geometry(0.9, 12, 3), Reading())
    assert (seen.pixels is None) != (seen.error is None)
    assert seen.error is None or (seen.error.isprintable() and len(seen.error) < 2000), seen.error


def read_source(path: Path) -> None:
    from tuningfork.images import Geometry
    from tuningfork.packs import open_images

    for seen in open_images(path, Geometry(0.9, 12, 3), 1).decoded():
        assert (seen.pixels is None) != (seen.error is None)


def read_table(path: Path) -> None:
    from tuningfork.catalogs import read_table as read

    read(path)


def read_labels(path: Path) -> None:
    import pandas as pd

    from tuningfork.catalogs import read_table as read
    from tuningfork.catalogs.labels import check_schemas, join_labels
    from tuningfork.schemas import load_schema

    images = pd.DataFrame({"id_str": ["a1", "a2", "a3"], "file_loc": ["a1.jpg", "a2.jpg", "a3.jpg"]})
    labels, schemas = read(path), [load_schema("five-classes")]
    joined, _ = join_labels(images, labels, str(path), schemas)
    check_schemas(joined, schemas, str(path))


def read_recipe(path: Path) -> None:
    from tuningfork.training import load_recipe

    load_recipe(path)


def read_study(path: Path) -> None:
    from tuningfork.study import load_study

    load_study(path).recipes()


def read_schema(path: Path) -> None:
    from tuningfork.schemas import load_schema

    load_schema(path)


def read_manifest(path: Path) -> None:
    """And what a report draws of it."""
    from tuningfork.manifests import MANIFESTS
    from tuningfork.report import write_report

    kind = next(
        kind for kind in MANIFESTS if kind.NAME.partition(".")[0] == path.name.partition("-")[0].partition(".")[0]
    )
    folder = path.parent / "folder"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / kind.NAME)
    write_report([folder], path.parent / "report.html", overwrite=True)


def read_model(path: Path) -> None:
    """Weights, under a manifest that vouches for them."""
    from hostile import sealed
    from tuningfork.models import load_model

    folder = path.parent / "model"
    shutil.copytree(CORPUS / "seeds" / "model", folder, dirs_exist_ok=True)
    shutil.copy(path, folder / path.suffixes[-1].replace(".", "model."))
    sealed(folder, json.loads((CORPUS / "seeds" / "model" / "model.json").read_text()))
    load_model(folder)


def read_uncertainty(path: Path) -> None:
    from tuningfork.uncertainty import read_uncertainty as read

    read(path)


def read_embedding(path: Path) -> None:
    from tuningfork.embeddings import read_embedding as read

    read(path)


READERS: dict[str, Callable[[Path], None]] = {
    "image": read_image,
    "source": read_source,
    "table": read_table,
    "labels": read_labels,
    "recipe": read_recipe,
    "study": read_study,
    "schema": read_schema,
    "manifest": read_manifest,
    "model": read_model,
    "uncertainty": read_uncertainty,
    "embedding": read_embedding,
}


@dataclass(frozen=True)
class Seed:
    """A sound file, and its reader."""

    reader: str
    path: Path


def seeds() -> list[Seed]:
    """All of them; the manifest of a model is read with its weights' reader no more than sound."""
    found = [
        Seed(path.parent.name, path) for path in sorted((CORPUS / "seeds").glob("*/*")) if path.name != "model.json"
    ]
    bundled = HERE.parent / "src/tuningfork/models/bundled/default/uncertainty.safetensors"
    manifest = CORPUS / "seeds" / "manifest" / "model.json"
    return [*found, Seed("manifest", manifest), Seed("uncertainty", bundled)]


def damaged(data: bytes, others: bytes, chance: random.Random, *, text: bool) -> bytes:
    """A file after one to four accidents: bytes, lengths, cuts, pieces of itself or of another."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at, length = chance.randrange(len(data) + 1), chance.choice((1, 2, 4, 8, 64, 512))
        kind = chance.randrange(8 if text else 6)
        if kind == 0:
            flipped = bytes(each ^ (1 << chance.randrange(8)) for each in data[at : at + 1])
            data = data[:at] + flipped + data[at + 1 :]
        elif kind == 1:
            data = data[:at]
        elif kind in (2, 3):
            width, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
            value = chance.choice(EDGES) & ((1 << 8 * width) - 1)
            data = data[:at] + value.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]
        elif kind == 4:
            start = chance.randrange(len(others))
            data = data[:at] + others[start : start + length] + data[at + chance.choice((0, length)) :]
        elif kind == 5:
            data = data[:at] + data[at + length :]
        elif kind == 6:
            spans = [found.span() for found in re.finditer(rb"-?\d[\d.eE+-]*", data)] or [(at, at)]
            first, last = chance.choice(spans)
            data = data[:first] + chance.choice(NUMBERS) + data[last:]
        else:
            lines = data.splitlines(keepends=True) or [b""]
            moved = lines.pop(chance.randrange(len(lines)))
            where = chance.randrange(len(lines) + 1)
            data = b"".join([*lines[:where], *chance.choice(([moved, moved], [])), *lines[where:]])
        data = data or b"\0"
    return data


def cases(seed: int) -> Iterator[tuple[Seed, bytes]]:
    """What was found once, then damaged files without end."""
    for path in sorted((CORPUS / "found").glob("*/*")):
        yield Seed(path.parent.name, path), path.read_bytes()
    every, chance = seeds(), random.Random(seed)
    by_reader = {reader: [one for one in every if one.reader == reader] for reader in READERS}
    weights = [1 + len(found) for found in by_reader.values()]
    while True:
        reader = chance.choices(list(by_reader), weights)[0]
        one, other = chance.choice(by_reader[reader]), chance.choice(every)
        whole = one.path.read_bytes()
        text = one.path.suffix in TEXT
        yield one, damaged(whole, other.path.read_bytes(), chance, text=text)


def problem(reader: Callable[[Path], None], path: Path) -> str:
    """What is wrong with how a file is read; ``''`` where it is answered or refused as promised."""
    from tuningfork.errors import TuningforkError

    before, began, said = peak(), time.process_time(), ""
    try:
        reader(path)
    except TuningforkError as error:
        text = str(error)
        said = "" if len(text.splitlines()) == 1 and len(text) < 4000 else f"says {text[:200]!r}"
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {str(error)[:200]} ({Path(frame.filename).name}:{frame.lineno})"
    seconds, memory = time.process_time() - began, peak() - before
    if seconds > SECONDS:
        said += f" took {seconds:.0f} s"
    if memory > MEMORY:
        said += f" took {memory:.0f} MB"
    return said


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Try files until the time is over or so many were; how many failed is the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cases", type=int, default=1 << 40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    options.keep.mkdir(parents=True, exist_ok=True)
    known: dict[str, int] = {}
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for seed in seeds():  # sound ones are read, and all that is imported for them is there
            copy = place / seed.path.name
            shutil.copy(seed.path, copy)
            said = problem(READERS[seed.reader], copy)
            if said:
                print(f"SOUND {seed.reader}/{seed.path.name}: {said}", flush=True)
                known[said] = 1
        ends = time.monotonic() + options.seconds
        for number, (seed, data) in enumerate(cases(options.seed)):
            if number >= options.cases or time.monotonic() > ends:
                break
            path = place / seed.path.name
            path.write_bytes(data)
            current = options.keep / "current"
            current.write_bytes(data)  # what it was where this process is ended
            (options.keep / "current.name").write_text(f"{seed.reader}/{seed.path.name}")
            said = problem(READERS[seed.reader], path)
            counts[seed.reader] = counts.get(seed.reader, 0) + 1
            if said and said not in known:
                kept = (
                    options.keep
                    / seed.reader
                    / f"{seed.path.name.partition('.')[0]}-{number}{''.join(seed.path.suffixes)}"
                )
                kept.parent.mkdir(exist_ok=True)
                kept.write_bytes(data)
                print(f"{kept}: {said}", flush=True)
            if said:
                known[said] = known.get(said, 0) + 1
    (options.keep / "current").unlink(missing_ok=True)
    (options.keep / "current.name").unlink(missing_ok=True)
    print(json.dumps({"cases": sum(counts.values()), "readers": counts, "failed": sum(known.values())}))
    return min(len(known), 100)


if __name__ == "__main__":
    sys.exit(main())
