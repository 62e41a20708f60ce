"""Packs, models, predictions and evaluations as one self-contained HTML file."""

from tuningfork.report.page import write_report

__all__ = ["write_report"]
