"""What the folders of images say of them: a class, a split."""

from __future__ import annotations

import re
from collections.abc import Sequence

SPLITS = {
    **{"train": "train", "training": "train"},
    **{"val": "val", "valid": "val", "validation": "val", "dev": "val"},
    **{"test": "test", "testing": "test"},
}
CLASS_FOLDERS = "column class from the folders"  # how the note on them begins
_WORDS = re.compile(r"[-_.]")


def folder_columns(folders: Sequence[str]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The columns `class` and `split` of images in class folders, and what to say of them; none of any other layout.

    The layouts are ``spiral/1.jpg``, ``train/spiral/1.jpg`` and ``train/1.jpg``: every image is in a folder, at the
    same depth, and there are two folders or more.

    Parameters
    ----------
    folders
        The folder of each image, relative to that which is looked through; empty where it is this one.
    """
    kinds = {folder: _meaning(folder) for folder in set(folders)}
    shapes = {(split is None, label is None) for split, label in kinds.values()}
    if len(kinds) < 2 or len(shapes) != 1 or (True, True) in shapes:
        return {}, ()
    columns, said = {}, []
    for column, values in zip(
        ("split", "class"), zip(*(kinds[folder] for folder in folders), strict=True), strict=True
    ):
        named = sorted({value for value in values if value is not None})
        if len(named) > 1:
            columns[column] = [str(value) for value in values]
            some = ", ".join(named[:5]) + (", ..." if len(named) > 5 else "")
            said.append(f"{CLASS_FOLDERS if column == 'class' else 'column split from the folders'}: {some}")
    return columns, tuple(said)


def split_of_shard(name: str) -> str | None:
    """The split that the name of a shard tells, such as ``train-00000-of-00004`` and ``galaxies-val-000001.tar``."""
    return next((SPLITS[word] for word in _WORDS.split(name.lower()) if word in SPLITS), None)


def _meaning(folder: str) -> tuple[str | None, str | None]:
    """The split and the class that a folder stands for."""
    parts = [part for part in folder.split("/") if part]
    split = SPLITS.get(parts[0].lower()) if parts else None
    rest = parts[1:] if split else parts
    if len(rest) > 1 or ".." in parts:
        return None, None
    return split, rest[0] if rest else None
