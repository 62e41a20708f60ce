"""Packages whose names are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def import_when_asked(package: str, homes: Mapping[str, str]) -> None:
    """Let a package give the names that its modules `homes` hold, importing each when it is first asked for."""

    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name not in homes:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            return getattr(import_module(f"{package}.{homes[name]}"), name)

        def __dir__(self) -> list[str]:
            return sorted(homes)

    sys.modules[package].__class__ = Lazy
