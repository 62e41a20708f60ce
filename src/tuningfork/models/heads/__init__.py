"""Heads: each turns features into answers and owns its loss and its output constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.models.heads.base import Head, of_views
    from tuningfork.models.heads.build import HEADS, build_head, register_head
    from tuningfork.models.heads.spec import HeadSpec, TeacherSpec

_HOMES = {
    "HEADS": "build",
    "Head": "base",
    "HeadSpec": "spec",
    "TeacherSpec": "spec",
    "build_head": "build",
    "of_views": "base",
    "register_head": "build",
}

__all__ = ["HEADS", "Head", "HeadSpec", "TeacherSpec", "build_head", "of_views", "register_head"]

import_when_asked(__name__, _HOMES)
