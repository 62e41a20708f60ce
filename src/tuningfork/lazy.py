"""Packages whose names are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def import_when_asked(package: str, homes: Mapping[str, str]) -> None:
    """Let a package give the names that its modules `homes` hold, each imported when first asked for (PEP 562)."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    vars(sys.modules[package]).update(__getattr__=get, __dir__=lambda: sorted(homes))
