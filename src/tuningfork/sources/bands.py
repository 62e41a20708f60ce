"""Files of one galaxy that differ only by the band in their names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tuningfork.sources.names import is_fits_name, natural, without_ending

MARK = "{band}"
KNOWN = {**{band: band for band in "ugrizyJHK"}, **{band.upper(): band for band in "ugrizy"}}
KNOWN |= {"j": "J", "h": "H", "k": "K", "Ks": "K", "ks": "K"}
_TOKEN = re.compile(r"(?<![^_\-. ])(?:[A-Za-z]|[Kk]s|[Ff]\d{3}(?:LP|lp|[WMwm]))(?![^_\-. ])")
FEWEST = 3  # files that are one galaxy unless bands are asked for: two letters may be axes
_WORD = re.compile(r"[^_\-. ]+")
_MARKED = re.compile(r"[_\-. ]?\{band\}")


@dataclass
class Grouped:
    """Galaxies of one file a band: the files of each by its name with `MARK` in place of the band.

    `bands` are those that a galaxy should have; `others` are files of one galaxy each; `unused` counts the files of
    bands that were not asked for; `apart` are files that differ as bands do, and yet are not taken for one galaxy's.
    """

    galaxies: dict[str, dict[str, str]] = field(default_factory=dict)
    bands: tuple[str, ...] = ()
    others: list[str] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    apart: list[str] = field(default_factory=list)


def group_by_band(files: Sequence[str], asked: Sequence[str] = ()) -> Grouped:
    """Group FITS files whose names are alike but for a letter or filter between ``_``, ``-`` or ``.``, all bands.

    Unless bands are asked for, a galaxy has three or more, and no two alike (F606W and F555W): else each file is one's,
    as it can be read alone. A file of the same pattern whose galaxy has no other is grouped as well: it is a galaxy
    that lacks bands.

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
    several = {key: found for key, found in letters.items() if len(found) > 1 and all(map(_band, found))}
    whole = {key for key, found in several.items() if asked or len({_band(name) for name in found}) >= FEWEST}
    whole = {key for key in whole if asked or len({_band(name) for name in several[key]}) == len(several[key])}
    grouped, shapes = Grouped(), {_shape(key) for key in whole}
    apart = next((found for key, found in several.items() if _shape(key) not in shapes), {})
    grouped.apart = list(apart.values())
    if not whole:
        grouped.others = list(files)
        return grouped
    for name in files:
        keys = [key for key, _ in marked.get(name, ()) if key in whole]
        keys = keys or [key for key, letter in marked.get(name, ()) if _shape(key) in shapes and _band(letter)]
        if keys:
            letter = next(letter for key, letter in marked[name] if key == keys[0])
            grouped.galaxies.setdefault(keys[0], {})[_called(letter)] = name
        else:
            grouped.others.append(name)
    _choose(grouped, asked)
    return grouped


def _called(token: str) -> str:
    """What the band of a token is called: a letter as we write it, a filter in capitals."""
    return KNOWN.get(token, token.upper())


def _band(token: str) -> str:
    """The band that a token of a name means; empty where it means none."""
    if len(token) <= 2:
        return KNOWN.get(token, "")
    from tuningfork.images.fits.bands import band_of  # astropy, which names of letters need not wait for

    return band_of(token) or ""


def without_band(key: str) -> str:
    """The name of a galaxy from that of its files."""
    folder, name = os.path.split(key)
    stem = _MARKED.sub("", without_ending(name)).lstrip("_-. ")
    return os.path.join(_MARKED.sub("", folder), stem)  # noqa: PTH118


def _choose(grouped: Grouped, asked: Sequence[str]) -> None:
    """Settle which bands a galaxy should have, and leave out the files of others that were not asked for."""
    counts = Counter(band for found in grouped.galaxies.values() for band in found)
    most = [band for band, count in counts.items() if 2 * count > len(grouped.galaxies)]
    wanted = [_called(band) if _band(band) else band for band in asked]
    grouped.bands = tuple(wanted or sorted(most or counts, key=lambda name: "ugrizyJHK".index(_band(name))))
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
