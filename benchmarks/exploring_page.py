"""The page of `tuningfork explore` in Chromium, with the server of `exploring.py` behind it.

A list counts as there when its rows have come and been drawn; a picture, when it is decoded.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROUNDS = 10
SETTLING = 1500  # ms until what is not measured is done
# How long the page takes from a change of its state to the new list, drawn.
CHANGED = """async ([name, value]) => {
  const [state, list] = await Promise.all([import("./state.js"), import("./list.js")]);
  const before = list.arrived.value, started = performance.now();
  state[name].value = value;
  while (list.arrived.value === before) await new Promise(requestAnimationFrame);
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return performance.now() - started;
}"""
PICTURES = """async (rows) => {
  const started = performance.now();
  await Promise.all(rows.map((row) => {
    const picture = new Image();
    picture.src = `image/${row}?size=96&view=model&stretch=0`;
    return picture.decode();
  }));
  return performance.now() - started;
}"""
FRACTIONS = """async () => (await import("./state.js")).catalogue.value.columns
  .filter((one) => one.role === "fraction").map((one) => one.name)"""
SEEN = """() => {
  const pictures = [...document.querySelectorAll(".cell img")];
  return pictures.length > 15 && pictures.every((one) => one.complete && one.naturalWidth);
}"""
COUNTED = "() => Number(document.querySelector('.selection-count').textContent.replace(/[^0-9]/g, ''))"


def on_page(address: str) -> list[tuple[str, str, str]]:
    """What is measured of the page, as lines of a table."""
    with sync_playwright() as playwright, _chromium(playwright) as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        started = time.perf_counter()
        page.goto(address)
        page.wait_for_function(SEEN, polling="raf")
        found = [("first view, with its thumbnails, ms", f"{1000 * (time.perf_counter() - started):.0f}", "3000")]
        page.wait_for_timeout(SETTLING)
        names = page.evaluate(FRACTIONS)
        filters = [{names[at]: {"min": 0.02 * at, "max": 0.02 * at + 0.4}} for at in range(ROUNDS)]
        sorts = [{"column": name, "descending": True} for name in names[ROUNDS : 2 * ROUNDS]]
        found += [_often("filter", page, "conditions", filters), _often("sort", page, "sort", sorts)]
        page.evaluate(CHANGED, ["conditions", {}])
        page.wait_for_timeout(SETTLING)
        spent = [
            page.evaluate(PICTURES, list(range(start, start + 60))) for start in range(5000, 5000 + 60 * ROUNDS, 60)
        ]
        found.append(_line("60 thumbnails, decoded", spent, "300"))
        page.keyboard.press("m")
        page.wait_for_selector(".legend")
        page.wait_for_timeout(2 * SETTLING)
        selected, spent = zip(*(_lasso(page, size) for size in (0.1, 0.11, 0.12, 0.13, 0.14)), strict=True)
        found.append(_line(f"lasso of {min(selected):,} to {max(selected):,}", list(spent), "500 for 100,000"))
        found.append(("the browser's memory, MB", f"{_memory(browser):.0f}", "600"))
    return found


@contextmanager
def _chromium(playwright: Any) -> Iterator[Browser]:
    options = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
    yield browser
    browser.close()


def _often(what: str, page: Page, signal: str, values: list[Any]) -> tuple[str, str, str]:
    spent = []
    for value in values:
        spent.append(page.evaluate(CHANGED, [signal, value]))
        page.wait_for_timeout(SETTLING)  # histograms and thumbnails that come after
    return _line(what, spent, "300")


def _line(what: str, spent: list[float], most: str) -> tuple[str, str, str]:
    return f"{what}, ms", f"{median(spent):.0f} (largest {max(spent):.0f})", most


def _lasso(page: Page, size: float) -> tuple[int, float]:
    """Draw a square around the middle of the map: how many it selects, and how long until that is said."""
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".map-overlay").bounding_box()
    assert box is not None
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -0.9)]
    before = page.evaluate(COUNTED)
    for index, (x, y) in enumerate(corners):
        page.mouse.move(
            box["x"] + (0.5 + size * x) * box["width"], box["y"] + (0.5 + size * y) * box["height"], steps=4
        )
        if index == 0:
            page.mouse.down()
    started = time.perf_counter()
    page.mouse.up()
    page.wait_for_function(f"before => ({COUNTED})() !== before", arg=before, polling="raf")
    spent = 1000 * (time.perf_counter() - started)
    page.wait_for_timeout(SETTLING)
    return page.evaluate(COUNTED), spent


def _memory(browser: Browser) -> float:
    """The megabytes that the browser's processes hold, what they share counted once."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    held = 0
    for process in processes:
        lines = Path(f"/proc/{process['id']}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        held += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return held / 1024
