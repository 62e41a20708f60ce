"""The one door to libraries that only some users need: each is an extra of the package."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from tuningfork.errors import TuningforkError


def require(module: str, extra: str) -> ModuleType:
    """Import a module that comes with the extra `extra`.

    What the module warns of while it is imported (umap-learn: that TensorFlow is absent; numba: that it found no
    optional thread library) is nothing a user can act on, and is kept quiet.

    Raises
    ------
    TuningforkError
        If it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
            warnings.filterwarnings("ignore", category=Warning, module=r"numba(\..*)?$")
            return import_module(module)
    except ModuleNotFoundError as error:
        raise TuningforkError(
            f'this needs {module}, which is not installed: pip install "tuningfork[{extra}]"'
        ) from error


def installed(*modules: str) -> bool:
    """Whether all of these can be imported, by what is on the path: nothing is imported."""
    return all(find_spec(module) is not None for module in modules)
