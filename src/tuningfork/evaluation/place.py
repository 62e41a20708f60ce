"""The folder of what is measured at once: whole, of what was asked for, and never replaced unasked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tuningfork.errors import OutputError
from tuningfork.files import software
from tuningfork.jobs import Inputs, Job, make_at_once, within
from tuningfork.manifests import Manifest

PLOTS = "plots_as"  # the format of the plots that lie beside the PNG; png: none
MEASURED = ("where", "inputs", "seed", "n_bootstrap")  # what fixes a measurement, as its manifest has it


@dataclass(frozen=True)
class Place:
    """A folder, and what it is to hold.

    Parameters
    ----------
    kind
        What its manifest is, which is written last.
    out
        The folder.
    content
        What fixes the measurement, as the manifest will hold it.
    overwrite
        Whether a measurement of anything else may be replaced.
    """

    kind: type[Manifest]
    out: Path
    content: Mapping[str, Any]
    overwrite: bool = False

    @cached_property
    def _job(self) -> Job:
        asked = json.loads(json.dumps({name: self.content[name] for name in (*MEASURED, PLOTS)}))
        inputs = Inputs(self.kind.WHAT, self.kind.VERSION, asked)
        return Job(inputs, self.out, within(self.out), anew="begin anew with --overwrite")

    def finished(self) -> bool:
        """Whether what is asked for is there already, whole.

        Raises
        ------
        OutputError
            If `out` is a file, or holds a measurement of anything else that may not be replaced.
        """
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out} is a file; name a folder")
        if self._job.settled(self._job.fingerprint):
            return True
        path = self.out / self.kind.NAME
        if self.overwrite or not os.path.lexists(path):
            return False
        held = self._held()
        if held is None:
            raise OutputError(
                f"{path} exists, and is of something else; choose another name, or replace it with --overwrite"
            )
        if self.content[PLOTS] not in ("png", held.content.get(PLOTS)):
            return False  # it is drawn again, in another format, too
        if self._job.matches:
            self._job.clear()
        return True

    def write(self, make: Callable[[Path], object]) -> None:
        """Have `make` fill the folder, unless what it would make is there already."""
        if not self.finished():
            make_at_once(self._job, self.kind.NAME, make, overwrite=self.overwrite or self._held() is not None)

    def _held(self) -> Manifest | None:
        """The measurement of these inputs by this software that the folder holds, its files unaltered."""
        try:
            found = self.kind.read(self.out)
            found.check(self.out)
        except self.kind.ERROR:
            return None
        asked = {name: self._job.inputs.asked[name] for name in MEASURED}
        ours = found.made_by == software() and asked == {name: found.content.get(name) for name in MEASURED}
        return found if ours else None
