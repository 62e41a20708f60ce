"""The report page in a real browser: nothing is fetched, nothing is cut off, on a phone, on a screen and on paper."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuningfork.inference import evaluate_model, predict
from tuningfork.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (looked for it on PATH)")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra dev)")


@pytest.fixture(scope="module")
def report(model: Path, pack: Path, galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of everything: pack, model, evaluation, predictions with an image that can't be read."""
    folder = tmp_path_factory.mktemp("report")
    evaluate_model(model, pack, n_bootstrap=40).save(folder / "evaluation")
    predict(galaxies, folder / "predictions.parquet", model=model)
    paths = [pack, model, folder / "evaluation", folder / "predictions.parquet"]
    return write_report(paths, folder / "report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, report: Path, request: pytest.FixtureRequest) -> Iterator[object]:
    """The page at a width in pixels (the fixture's parameter), which must ask for nothing and complain of nothing."""
    context = browser.new_context(viewport={"width": getattr(request, "param", 1200), "height": 900})
    opened = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda sent: asked.append(sent.url))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(report.as_uri())
    yield opened
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def test_whatever_gets_into_the_page_runs_and_fetches_nothing(browser, report: Path, tmp_path: Path) -> None:
    smuggled = (
        "<script>document.title = 'run'</script><img src='http://localhost:9/x.png' onerror=\"document.title = 'run'\">"
        "<link rel=stylesheet href='http://localhost:9/x.css'><style>body { display: none }</style>"
        "<iframe src='http://localhost:9/'></iframe><form action='http://localhost:9/'></form>"
    )
    worse = tmp_path / "worse.html"
    worse.write_text(report.read_text().replace("</main>", f"{smuggled}</main>"))
    context = browser.new_context()
    opened, asked = context.new_page(), []
    opened.on("requestfinished", lambda sent: asked.append(sent.url))
    opened.goto(worse.as_uri())
    opened.evaluate("() => document.forms[0].submit()")
    opened.wait_for_timeout(300)
    assert opened.title() != "run"
    assert opened.evaluate("() => getComputedStyle(document.body).display") != "none"
    assert [url for url in asked if url.startswith("http")] == []
    assert opened.url == worse.as_uri()
    context.close()


SCREENS = pytest.mark.parametrize("page", [390, 1200], indirect=True)
# What stands out of the page on the right, but for what lies in a part that scrolls by itself.
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter(e => {
  const scrolls = e.parentElement.closest(".scroll");
  return !(scrolls && getComputedStyle(scrolls).overflowX === "auto")
    && e.getBoundingClientRect().right > innerWidth + 0.5;
}).map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)"""


@SCREENS
def test_the_page_itself_never_scrolls_sideways(page) -> None:
    width, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= inner
    assert page.evaluate(OUTSIDE) == []
    page.evaluate("scrollTo(500, 0)")
    assert page.evaluate("scrollX") == 0


@SCREENS
def test_every_image_is_there_before_anyone_scrolls_to_it(page) -> None:
    widths = page.evaluate("[...document.images].map(image => image.complete ? image.naturalWidth : 0)")
    assert len(widths) > 40  # galaxies of the pack, curves, plots, the surest predictions
    assert min(widths) > 0
    assert page.locator('img[alt*="largest loss"]').count() == 1


@pytest.mark.parametrize("page", [390], indirect=True)
def test_a_wide_table_scrolls_inside_itself_with_its_names_in_sight(page) -> None:
    table = page.locator('.scroll[aria-label="Questions of gz-challenge"]')
    inner, outer = table.evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert inner > outer
    moved = table.evaluate("e => { e.scrollLeft = 1000; return e.scrollLeft }")
    assert moved == pytest.approx(inner - outer, abs=1)
    assert page.evaluate("scrollX") == 0
    name = table.locator("tbody th").first
    assert name.evaluate("e => e.getBoundingClientRect().left") >= table.evaluate("e => e.getBoundingClientRect().left")


@SCREENS
def test_folded_parts_open_by_a_click(page) -> None:
    folded = page.locator("details")
    titles = folded.locator("summary").all_inner_texts()
    assert {"Recipe", "Model card", "Provenance", "Most confused", "Largest losses of five-classes"} <= set(titles)
    for index in range(folded.count()):
        part = folded.nth(index)
        content = part.locator("summary + *")
        assert not content.is_visible()
        part.locator("summary").click()
        assert content.is_visible()
        assert content.inner_text().strip()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_contents_lead_to_each_section(page) -> None:
    links = page.locator("nav a")
    assert links.count() == 4
    for index in range(4):
        links.nth(index).click()
        assert page.evaluate("location.hash") == f"#section-{index + 1}"
        assert page.locator(f"#section-{index + 1} h2").is_visible()


# The width inside the margins, in CSS pixels (96 an inch): A4 with 15 mm, A5 with 10 mm.
@pytest.mark.parametrize("page", [680, 484], indirect=True)
def test_on_paper_folded_parts_are_open_and_nothing_is_cut_off(page) -> None:
    page.emulate_media(media="print")
    assert page.evaluate(OUTSIDE) == []
    for part in page.locator("details").all():
        assert not part.evaluate("e => e.open")
        assert part.locator("summary + *").evaluate("e => e.checkVisibility({contentVisibilityAuto: true})")
        assert part.locator("summary + *").bounding_box()["height"] > 10
    assert page.evaluate('[...document.querySelectorAll(".scroll")].every(e => e.scrollWidth <= e.clientWidth + 1)')
    tallest = page.evaluate("Math.max(...[...document.images].map(image => image.getBoundingClientRect().height))")
    assert tallest < 297 / 25.4 * 96 - 2 * 57 - 60  # with its caption it fits on one sheet of A4


def test_it_prints_as_a_pdf_of_which_no_page_is_blank(page) -> None:
    printed = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "15mm"))
    objects = dict(re.findall(rb"(?:^|\n)(\d+) 0 obj\n(.*?)endobj", printed, re.DOTALL))
    pages = [entry for entry in objects.values() if b"/Type /Page\n" in entry]
    assert len(pages) >= 4  # each section begins one
    for entry in pages:
        drawn = objects[re.search(rb"/Contents (\d+)", entry)[1]].partition(b"stream\n")[2]
        assert len(re.findall(rb"T[jJ]\b", zlib.decompressobj().decompress(drawn))) > 10
    rasters = "new Set([...document.images].map(image => image.src).filter(src => !src.includes('svg'))).size"
    assert printed.count(b"/Subtype /Image") >= page.evaluate(rasters) > 30
