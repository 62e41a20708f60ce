"""The tutorials run as they are written, without a warning, and show what they draw."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.ipynb"))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are made when the site is built"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        texts = [output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in cell.outputs]
        assert not [text for text in texts if "Warning" in text], cell.source
        if cell.source.splitlines()[-1].endswith(".plot()") or "plt.subplots" in cell.source:
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source
