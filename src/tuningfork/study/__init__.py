"""Studies: groups of recipes trained on one pack and compared."""

from tuningfork.study.run import run_study
from tuningfork.study.study import Study, StudyRun, bundled_studies, load_study

__all__ = ["Study", "StudyRun", "bundled_studies", "load_study", "run_study"]
