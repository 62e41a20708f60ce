"""Studies: groups of recipes trained on one pack and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.study.run import run_study
    from tuningfork.study.study import Study, StudyRun, bundled_studies, load_study

_HOMES = {
    "Study": "study",
    "StudyRun": "study",
    "bundled_studies": "study",
    "load_study": "study",
    "run_study": "run",
}

__all__ = ["Study", "StudyRun", "bundled_studies", "load_study", "run_study"]

import_when_asked(__name__, _HOMES)
