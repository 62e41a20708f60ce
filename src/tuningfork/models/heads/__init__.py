"""Heads: each turns features into answers and owns its loss and its output constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.models.heads.base import Head, masked_sum, of_views
    from tuningfork.models.heads.build import HEADS, build_head, register_head
    from tuningfork.models.heads.classes import ClassesHead
    from tuningfork.models.heads.spec import HeadSpec, TeacherSpec

_HOMES = {
    "ClassesHead": "classes",
    "HEADS": "build",
    "Head": "base",
    "HeadSpec": "spec",
    "TeacherSpec": "spec",
    "build_head": "build",
    "masked_sum": "base",
    "of_views": "base",
    "register_head": "build",
}

__all__ = [
    "HEADS",
    "ClassesHead",
    "Head",
    "HeadSpec",
    "TeacherSpec",
    "build_head",
    "masked_sum",
    "of_views",
    "register_head",
]

import_when_asked(__name__, _HOMES)
