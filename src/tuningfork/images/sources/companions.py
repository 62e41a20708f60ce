"""Weight maps, masks, PSFs and the like, which lie beside the images of galaxies and are none."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tuningfork.images.sources.names import without_ending

KINDS = {
    "weight map": ("weight", "weights", "wht", "wgt"),
    "inverse variance map": ("invvar", "ivar"),
    "mask": ("mask", "masks", "msk", "dq", "maskbits", "flags"),
    "segmentation map": ("seg", "segm", "segmap", "segmaps", "segmentation"),
    "PSF": ("psf", "psfs"),
    "noise map": ("sigma", "rms", "err", "error", "errors", "unc", "var", "variance"),
    "exposure map": ("nexp", "expmap", "depth", "galdepth", "psfdepth", "psfsize"),
    "model": ("model", "models"),
    "residual": ("resid", "residual", "residuals"),
    "background": ("bkg", "background"),
}
PLAIN = {"image", "images", "img", "im", "sci", "science", "data", "drz", "drc", "fit", "coadd", "stamp", "cutout"}
WORDS = {word: kind for kind, words in KINDS.items() for word in words}
_SUFFIX = re.compile(r"(?<=.)(?:im|img|image|map)\Z")
_BETWEEN = re.compile(r"[_\-. ]+|(?<=[0-9])(?=[A-Za-z])")
_MAYBE = re.compile("|".join(sorted(WORDS)), re.IGNORECASE)
_BAND = re.compile(r"[ugrizyjhk]|ks")

Tokens = tuple[str, ...]


def without_companions(files: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """The images of galaxies among files, and how many companions of each kind there were.

    A companion has a word of `KINDS` in its name, between ``_``, ``-``, ``.`` or after a digit, or is in a folder of
    such a name; what is left of its name begins or ends that of an image beside it (``NGC1_r.weight`` and ``NGC1_r``,
    ``kids_7mskim`` and ``kids_7fitim``). A file that accompanies none is a galaxy's.
    """
    suspects = {name: kind for name in files if _MAYBE.search(name) and (kind := _kind(name))}
    galaxies = [name for name in files if name not in suspects]
    if not suspects or not galaxies:
        return list(files), Counter()
    beside, anywhere = _beginnings_and_ends(galaxies)
    companions = {
        name: kind
        for name, kind in suspects.items()
        if _accompanies(name, anywhere if _kind_of_folder(name) else beside.get(os.path.dirname(name), set()))  # noqa: PTH120
    }
    return [name for name in files if name not in companions], Counter(companions.values())


def _kind(path: str) -> str:
    """What a companion of this name would be; empty where it is named as none."""
    stem = without_ending(os.path.basename(path))  # noqa: PTH119
    return next((WORDS[t] for t in map(_plain, reversed(_tokens(stem))) if t in WORDS), "") or _kind_of_folder(path)


def _kind_of_folder(path: str) -> str:
    return WORDS.get(os.path.basename(os.path.dirname(path)).lower(), "")  # noqa: PTH119, PTH120


def _accompanies(path: str, images: set[Tokens]) -> bool:
    stem = without_ending(os.path.basename(path))  # noqa: PTH119
    rest = _essence(stem)
    return rest in images or (bool(images) and all(_BAND.fullmatch(token) for token in rest))


def _beginnings_and_ends(galaxies: Iterable[str]) -> tuple[dict[str, set[Tokens]], set[Tokens]]:
    """How the names of images begin and end, by folder and in all of them."""
    beside: dict[str, set[Tokens]] = {}
    for path in galaxies:
        parent, name = os.path.split(path)
        tokens, ends = _essence(without_ending(name)), beside.setdefault(parent, set())
        for length in range(1, len(tokens) + 1):
            ends |= {tokens[:length], tokens[-length:]}
    return beside, set().union(*beside.values())


def _essence(stem: str) -> Tokens:
    """The tokens of a name that tell which galaxy and band it is of."""
    return tuple(t for t in map(_plain, _tokens(stem)) if t not in WORDS and t not in PLAIN)


def _tokens(stem: str) -> list[str]:
    return [token.lower() for token in _BETWEEN.split(stem) if token]


def _plain(token: str) -> str:
    """A token without what some add to it: ``mskim`` is a mask."""
    cut = _SUFFIX.sub("", token)
    return cut if cut in WORDS or cut in PLAIN else token
