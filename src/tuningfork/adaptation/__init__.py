"""A model made to fit another survey by some labels of it: its heads, its intervals and its flag."""

from tuningfork.adaptation.adapting import adapt

__all__ = ["adapt"]
