"""Where a file comes from: version, date, hashes, the command that makes it again."""

from __future__ import annotations

from typing import Any

from tuningfork.report.blocks import Facts


def provenance(manifest: dict[str, Any], command: str = "") -> Facts:
    """The provenance of a manifest, folded away."""
    rows = [
        (name, str(manifest[key])) for key, name in (("made_by", "Made by"), ("created", "Created")) if key in manifest
    ]
    if "format" in manifest:
        rows.append(("Format", f"{manifest['format']}, version {manifest.get('version', '?')}"))
    if command:
        rows.append(("Command", command))
    rows += [(name, text) for name, text in flat(manifest.get("inputs") or {})]
    rows += [(f"SHA-256 of {name}", str(value)) for name, value in (manifest.get("sha256") or {}).items()]
    return Facts(rows, "Provenance", folded=True)


def flat(table: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """A nested table as dotted names and values in one line each; None is left out."""
    rows: list[tuple[str, str]] = []
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            rows += flat(value, f"{name}.")
        elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
            for index, entry in enumerate(value, 1):
                rows += flat(entry, f"{name}[{index}].")
        elif value is not None:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))
    return rows
