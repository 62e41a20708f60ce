"""The pack a run learns from and the folder it writes, checked before PyTorch is imported."""

from __future__ import annotations

from pathlib import Path

from tuningfork.errors import ModelError, TuningforkError
from tuningfork.jobs import refuse_occupied
from tuningfork.manifests import PackManifest

RECORD = "run.json"  # in a model folder: what its run was asked for


def check_places(pack: str | Path, out: Path, record: str = RECORD, error: type[TuningforkError] = ModelError) -> None:
    """Refuse what is no pack, and a folder to write that holds anything but a run with its `record`.

    Raises
    ------
    PackError
        If there is no pack, or packing has not finished.
    TuningforkError
        Of the class `error`: if `out` is a file, or holds something else.
    """
    PackManifest.read(Path(pack))
    if not (out / record).is_file():
        refuse_occupied(out, error)
