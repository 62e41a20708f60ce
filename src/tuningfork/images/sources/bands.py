"""Files of one galaxy that differ only by the band in their names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tuningfork.images.sources.names import is_fits_name, natural, without_ending

MARK = "{band}"
KNOWN = {**{band: band for band in "ugrizyJHK"}, **{band.upper(): band for band in "ugrizy"}}
KNOWN |= {"j": "J", "h": "H", "k": "K", "Ks": "K", "ks": "K"}
_TOKEN = re.compile(r"(?<![^_\-. ])(?:[A-Za-z]|[Kk]s)(?![^_\-. ])")
_WORD = re.compile(r"[^_\-. ]+")
_MARKED = re.compile(r"[_\-. ]?\{band\}")


@dataclass
class Grouped:
    """Galaxies of one file a band: the files of each by its name with `MARK` in place of the band.

    `bands` are those that a galaxy should have; `others` are files of one galaxy each; `unused` counts the files of
    bands that were not asked for.
    """

    galaxies: dict[str, dict[str, str]] = field(default_factory=dict)
    bands: tuple[str, ...] = ()
    others: list[str] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)


def group_by_band(files: Sequence[str], asked: Sequence[str] = ()) -> Grouped:
    """Group FITS files whose names are alike but for one letter between ``_``, ``-`` or ``.``, where all are bands.

    A file of the same pattern whose galaxy has no other is grouped as well: it is a galaxy that lacks bands.

    Parameters
    ----------
    asked
        The bands that are wanted; unless given, those that more than half of the galaxies have.
    """
    marked = {name: list(_marked(name)) for name in files if is_fits_name(name)}
    letters: dict[str, dict[str, str]] = {}
    for name in natural(marked):
        for key, letter in marked[name]:
            letters.setdefault(key, {}).setdefault(letter, name)
    whole = {key: found for key, found in letters.items() if len(found) > 1 and found.keys() <= KNOWN.keys()}
    if not whole:
        return Grouped(others=list(files))
    grouped, shapes = Grouped(), {_shape(key) for key in whole}
    for name in files:
        keys = [key for key, _ in marked.get(name, ()) if key in whole]
        keys = keys or [key for key, letter in marked.get(name, ()) if _shape(key) in shapes and letter in KNOWN]
        if keys:
            letter = next(letter for key, letter in marked[name] if key == keys[0])
            grouped.galaxies.setdefault(keys[0], {})[KNOWN[letter]] = name
        else:
            grouped.others.append(name)
    _choose(grouped, asked)
    return grouped


def without_band(key: str) -> str:
    """The name of a galaxy from that of its files."""
    folder, name = os.path.split(key)
    stem = _MARKED.sub("", without_ending(name)).lstrip("_-. ")
    return os.path.join(_MARKED.sub("", folder), stem)  # noqa: PTH118


def _choose(grouped: Grouped, asked: Sequence[str]) -> None:
    """Settle which bands a galaxy should have, and leave out the files of others that were not asked for."""
    counts = Counter(band for found in grouped.galaxies.values() for band in found)
    most = [band for band, count in counts.items() if 2 * count > len(grouped.galaxies)]
    wanted = [KNOWN.get(band, band) for band in asked]
    grouped.bands = tuple(wanted or sorted(most or counts, key="ugrizyJHK".index))
    for found in grouped.galaxies.values():
        for band in [band for band in found if wanted and band not in wanted]:
            grouped.unused[band] += 1
            del found[band]


def _marked(path: str) -> Iterable[tuple[str, str]]:
    """Each way to take a letter in a name for a band, the last first: the name with `MARK` for it, and the letter."""
    folder, name = os.path.split(path)
    stem = without_ending(name)
    for match in reversed(list(_TOKEN.finditer(stem))):
        marked = stem[: match.start()] + MARK + name[match.end() :]
        yield os.path.join(folder, marked), match[0]  # noqa: PTH118


def _shape(key: str) -> tuple[bool, str]:
    """Where in a name the band is: whether it comes first, and what follows, whatever the words are."""
    before, _, after = os.path.basename(key).partition(MARK)  # noqa: PTH119
    return not before, _WORD.sub("*", after)
