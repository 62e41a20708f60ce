"""Images that a program holds in memory: arrays, pictures of Pillow, units of FITS files."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tuningfork.errors import CatalogError
from tuningfork.images.geometry import SMALLEST
from tuningfork.images.item import Item, Payload
from tuningfork.sources.source import Introduction

Images = str | os.PathLike[str] | Any  # what `open_source` takes: a place, a table, or images in memory
WHAT_IS = "a path, a list of files, a table, uint8 arrays, Pillow images or FITS units"
_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # the kinds of picture that PNG keeps as they are


class MemorySource:
    """Images in memory; item i is the i-th of them, and its id is ``i``.

    Parameters
    ----------
    images
        uint8 pixels (N, H, W, C), (N, C, H, W), (N, H, W), (H, W, C) or (H, W); a Pillow image; a FITS unit of astropy
        (an HDU) or several of one file (an HDUList); a sequence of such images of any sizes, each also (C, H, W); or a
        list or a map-style Dataset of torch of pairs (image, label), whose labels are the column `label`.

    Raises
    ------
    CatalogError
        If there is none, one is something else, or the axes of an array can't be distinguished.
    """

    def __init__(self, images: Any) -> None:
        self.images, labels = _with_labels(images)
        if not self.images:
            raise CatalogError("there are no images; give one at least")
        self.origin, self.introduction = "memory", Introduction("their places in the sequence")
        names = [str(place) for place in range(len(self.images))]
        self.table = pd.DataFrame({"id_str": names, "file_loc": [f"memory#{name}" for name in names]}, dtype=object)
        if labels is not None:
            self.table["label"] = labels

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.images)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on."""
        rows = zip(self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:], strict=True)
        for (identity, location), image in zip(rows, self.images[start:], strict=True):
            yield Item(identity, location, partial(_payload, image))

    def part(self, start: int, stop: int) -> MemorySource:
        """The images from `start` to `stop`."""
        part = object.__new__(MemorySource)
        part.__dict__ = self.__dict__ | {"images": self.images[start:stop], "table": self.table.iloc[start:stop]}
        part.__dict__.pop("_digest", None)  # of all of them
        return part

    def describe(self) -> dict[str, Any]:
        """How many there are, and a hash of their values."""
        return {"kind": "memory", "origin": self.origin, "n": self.n, "sha256": self._digest}

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for image in self.images:
            payload = _payload(image)
            if isinstance(payload, np.ndarray):
                digest.update(repr(payload.shape).encode())
            digest.update(payload.tobytes() if isinstance(payload, np.ndarray) else payload)  # type: ignore[arg-type]
        return digest.hexdigest()

    def files(self) -> list[Path]:
        """None."""
        return []


def _with_labels(images: Any) -> tuple[list[Any], list[Any] | None]:
    """The images, and their labels where they come in pairs."""
    entries = [images[row] for row in range(len(images))] if _is_data_set(images) else images
    if not (isinstance(entries, list) and entries and all(isinstance(e, tuple) and len(e) == 2 for e in entries)):
        return _split(entries), None
    labels = [label.item() if hasattr(label, "item") else label for _, label in entries]
    return _split([image for image, _ in entries]), labels


def _is_data_set(images: Any) -> bool:
    """Whether it has places and a length, and is none of the other forms."""
    if (
        isinstance(images, list | tuple | dict | bytes | Image.Image)
        or hasattr(images, "__array__")
        or _is_unit(images)
    ):
        return False
    return hasattr(type(images), "__getitem__") and hasattr(type(images), "__len__")


def _split(images: Any) -> list[Any]:
    """Each image for itself."""
    if _is_unit(images) or isinstance(images, Image.Image) or _is_file_of_units(images):
        return [images]
    if isinstance(images, list | tuple):
        return [one for place, each in enumerate(images) for one in _one(each, f"image {place} of the sequence")]
    return _arrays(_as_array(images))


def _one(image: Any, which: str) -> list[Any]:
    """The one image that an entry of a sequence is."""
    try:
        if not isinstance(image, list | tuple | Image.Image) and not _is_unit(image):
            image = _channels_last(_as_array(image))
        found = _split(image)
    except CatalogError as error:
        raise CatalogError(f"{which}: {error}") from error
    if len(found) != 1:
        raise CatalogError(f"{which} is {len(found)} images; give a flat sequence, or one array of all")
    return found


def _as_array(images: Any) -> np.ndarray:
    """Numbers as NumPy has them."""
    array = np.asarray(images)
    if array.dtype.kind not in "buifc":
        raise CatalogError(f"a {type(images).__name__} is no image: give {WHAT_IS}")
    return array


def _channels_last(array: np.ndarray) -> np.ndarray:
    """An image (C, H, W), as torch has it, as (H, W, C); else the array as it is."""
    first = array.ndim == 3 and array.shape[0] < SMALLEST <= min(array.shape[1:])
    return np.moveaxis(array, 0, 2) if first else array


def _arrays(array: np.ndarray) -> list[np.ndarray]:
    """The images (H, W, C) in an array."""
    if array.dtype != np.uint8:
        raise CatalogError(
            f"an array of {array.dtype}: which values are black and white is not stated. Give uint8 (0 to 255)"
            f"{_as_bytes(array)}, or flux as a FITS unit of astropy with its header"
        )
    if array.ndim == 2:
        return [array[:, :, None]]
    if array.ndim == 3:
        if array.shape[2] < SMALLEST <= min(array.shape[:2]):
            return [array]
        if array.shape[0] < SMALLEST:
            raise CatalogError(
                f"an array of shape {array.shape}: are these channels or images? Give (N, H, W, C), or one "
                "image in a list"
            )
        return list(array[..., None])
    if array.ndim == 4 and (array.shape[1] < SMALLEST) != (array.shape[3] < SMALLEST):
        return list(np.moveaxis(array, 1, 3) if array.shape[1] < SMALLEST else array)
    raise CatalogError(f"an array of shape {array.shape} is no image; give (N, H, W, C), (N, H, W) or (H, W, C)")


def _as_bytes(array: np.ndarray) -> str:
    """How pixels that ToTensor made are brought to uint8, where an array may hold such."""
    if array.dtype.kind != "f" or not array.size or not 0 <= array.min() <= array.max() <= 1:
        return ""
    return "; if 1 is white, `(x * 255).to(torch.uint8)` or `(x * 255).astype(np.uint8)`"


def _payload(image: Any) -> Payload:
    """An image as a file would hold it, so that it is read by the same rules; arrays as they are."""
    if isinstance(image, np.ndarray):
        return image
    buffer = io.BytesIO()
    if isinstance(image, Image.Image):
        image.save(buffer, "PNG" if image.mode in _PNG else "TIFF")
        return buffer.getvalue()
    from astropy.io import fits

    units = image if _is_file_of_units(image) else [image]
    first = isinstance(units[0], fits.PrimaryHDU)
    fits.HDUList([*(() if first else (fits.PrimaryHDU(),)), *(unit.copy() for unit in units)]).writeto(buffer)
    return buffer.getvalue()


def _is_unit(image: Any) -> bool:
    return hasattr(image, "header") and hasattr(image, "data") and not isinstance(image, np.ndarray)


def _is_file_of_units(image: Any) -> bool:
    return isinstance(image, list) and bool(image) and all(map(_is_unit, image)) and type(image) is not list
