"""Heads: each turns features into answers and owns its loss and its output constraint."""

from tuningfork.models.heads.base import Head, HeadSpec, TeacherSpec, of_views
from tuningfork.models.heads.build import HEADS, build_head, register_head

__all__ = ["HEADS", "Head", "HeadSpec", "TeacherSpec", "build_head", "of_views", "register_head"]
