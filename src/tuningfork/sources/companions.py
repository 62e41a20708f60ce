"""Weight maps, masks, PSFs and the like, which lie beside the images of galaxies and are none."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tuningfork.sources.names import is_fits_name, without_ending

KINDS = {
    "weight map": ("weight", "weights", "wht", "wgt", "wei", "wt"),
    "inverse variance map": ("invvar", "ivar"),
    "mask": ("mask", "masks", "msk", "dq", "maskbits", "flag", "flags", "badpix"),
    "segmentation map": ("seg", "segm", "segmap", "segmaps", "segmentation"),
    "PSF": ("psf", "psfs"),
    "noise map": (
        *("sigma", "rms", "err", "error", "errors", "unc", "uncert", "uncertainty", "noise", "std", "stddev"),
        *("var", "variance"),
    ),
    "exposure map": (
        "nexp",
        "exp",
        "num",
        "expmap",
        "depth",
        "galdepth",
        "psfdepth",
        "psfsize",
        "ctx",
        "cov",
        "coverage",
    ),
    "model": ("model", "models", "blobmodel"),
    "residual": ("resid", "residual", "residuals", "chi2"),
    "background": ("bkg", "background"),
}
PLAIN = {"image", "images", "img", "im", "sci", "science", "data", "drz", "drc", "fit", "coadd", "stamp", "cutout"}
WORDS = {word: kind for kind, words in KINDS.items() for word in words}
LAST = {"exp", "num", "flag", "std", "cov", "noise"}  # words that galaxies' names have too: the last of a companion's
_SUFFIX = re.compile(r"(?<=.)(?:im|img|image|map)\Z")
_BETWEEN = re.compile(r"[_\-. ]+|(?<=[0-9])(?=[A-Za-z])")
_MAYBE = re.compile("|".join(sorted(WORDS)), re.IGNORECASE)
_BAND = re.compile(r"[ugrizyjhk]|ks")

Tokens = tuple[str, ...]


def without_companions(files: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """The images of galaxies among files, and how many companions of each kind there were.

    A companion is a FITS file, as pictures are never kept beside a galaxy's. It has a word of `KINDS` in its name,
    between ``_``, ``-``, ``.`` or after a digit, and what is left of its name begins or ends that of an image beside it
    (``NGC1_r.weight`` and ``NGC1_r``, ``kids_7mskim`` and ``kids_7fitim``). Or it is in a folder of such a name, and
    its image in the folder above or in one beside that is called ``images`` or the like: folders called ``error`` and
    ``spiral`` are classes. A file that accompanies none is a galaxy's.
    """
    suspects = {name: kind for name in files if is_fits_name(name) and _MAYBE.search(name) and (kind := _kind(name))}
    galaxies = [name for name in files if name not in suspects]
    if not suspects or not galaxies:
        return list(files), Counter()
    images = _beginnings_and_ends(galaxies)
    companions = {name: kind for name, kind in suspects.items() if images.accompanied_by(name)}
    return [name for name in files if name not in companions], Counter(companions.values())


def _kind(path: str) -> str:
    """What a companion of this name would be; empty where it is named as none."""
    return _kind_of_name(path) or _kind_of_folder(path)


def _kind_of_name(path: str) -> str:
    tokens = [_plain(token) for token in _tokens(without_ending(os.path.basename(path)))]  # noqa: PTH119
    words = [t for place, t in enumerate(tokens, start=1) if t in WORDS and (t not in LAST or place == len(tokens))]
    return WORDS[words[-1]] if words else ""


def _kind_of_folder(path: str) -> str:
    return WORDS.get(os.path.basename(os.path.dirname(path)).lower(), "")  # noqa: PTH119, PTH120


@dataclass
class _Images:
    """How the names of images begin and end: `beside` by the folder they are in, `below` by that which holds them.

    An image is below its folder, and below the one above where its own is called ``images`` or the like.
    """

    beside: dict[str, set[Tokens]] = field(default_factory=dict)
    below: dict[str, set[Tokens]] = field(default_factory=dict)

    def accompanied_by(self, path: str) -> bool:
        """Whether one of them is the image that a file with the name, or in the folder, of a companion is of."""
        folder, name = os.path.split(path)
        rest = _essence(without_ending(name))
        by_name = self.beside.get(folder, set()) if _kind_of_name(path) else set()
        by_folder = self.below.get(os.path.dirname(folder), set()) if _kind_of_folder(path) else set()  # noqa: PTH120
        images = by_name | by_folder
        return rest in images or (bool(images) and all(_BAND.fullmatch(token) for token in rest))


def _beginnings_and_ends(galaxies: Iterable[str]) -> _Images:
    images = _Images()
    for path in galaxies:
        folder, name = os.path.split(path)
        above, called = os.path.split(folder)
        tokens = _essence(without_ending(name))
        places = [images.beside.setdefault(folder, set()), images.below.setdefault(folder, set())]
        places += [images.below.setdefault(above, set())] if called.lower() in PLAIN else []
        for length in range(1, len(tokens) + 1):
            for ends in places:
                ends |= {tokens[:length], tokens[-length:]}
    return images


def _essence(stem: str) -> Tokens:
    """The tokens of a name that tell which galaxy and band it is of."""
    return tuple(t for t in map(_plain, _tokens(stem)) if t not in WORDS and t not in PLAIN)


def _tokens(stem: str) -> list[str]:
    return [token.lower() for token in _BETWEEN.split(stem) if token]


def _plain(token: str) -> str:
    """A token without what some add to it: ``mskim`` is a mask."""
    cut = _SUFFIX.sub("", token)
    return cut if cut in WORDS or cut in PLAIN else token
