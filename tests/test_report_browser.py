"""The report page in a real browser: nothing is fetched, nothing is cut off, on a phone, on a screen and on paper."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


SCREENS = pytest.mark.parametrize("page", [390, 1280, 1440], indirect=True)
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
    assert page.locator('h3:has-text("Most wrong of")').count() == 2


@pytest.mark.parametrize("page", [390], indirect=True)
def test_a_wide_table_scrolls_inside_itself_with_its_names_in_sight(page) -> None:
    table = page.locator('.scroll[aria-label="Questions of gz-challenge"]')
    page.locator("details", has=table).locator("summary").click()
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


@pytest.fixture(scope="module")
def evaluated(report: Path) -> Path:
    """A page of one evaluation."""
    return write_report([report.parent / "evaluation"], report.parent / "evaluated.html")


def test_one_evaluation_takes_six_screens_and_its_summary_the_first(browser, evaluated: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.goto(evaluated.as_uri())
    assert opened.evaluate("document.documentElement.scrollHeight") <= 6 * 900
    assert opened.locator(".summary").bounding_box()["y"] + opened.locator(".summary").bounding_box()["height"] < 900
    first = opened.locator("section .thumbnails").first.bounding_box()
    assert first["y"] < opened.locator(".summary").bounding_box()["y"]
    assert opened.locator(".summary .answer").count() == 4
    context.close()
    assert evaluated.stat().st_size < 1_500_000


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_table_shows_that_there_is_more_of_it(browser, report: Path, width: int, theme: str, tmp_path: Path) -> None:
    """At the edge where more is hidden there is a shadow, which goes where the table ends; names stay at the left."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    opened = context.new_page()
    opened.goto(report.as_uri())
    table = opened.locator('.scroll[aria-label="Questions of gz-challenge"]')
    opened.locator("details", has=table).locator("summary").click()
    if width == 1280:
        table.evaluate("e => { e.style.width = '600px' }")
    inner, outer = table.evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert inner > outer

    def edge(name: str) -> np.ndarray:
        """The median brightness of columns at the right, below the header."""
        opened.screenshot(path=tmp_path / f"{name}.png", clip=table.bounding_box())
        pixels = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), dtype=float)
        return np.median(pixels[60:-20, -14:-1], axis=0)

    table.evaluate("e => e.scrollIntoView()")
    cut = edge("cut")
    table.evaluate("e => { e.scrollLeft = 1e6 }")
    end = edge("end")
    assert (end - cut).max() > (6 if theme == "dark" else 15)
    names = table.locator("tbody th").first
    assert names.evaluate("e => e.getBoundingClientRect().width") >= 100  # words, not letters
    left = "e => e.getBoundingClientRect().left"
    assert abs(names.evaluate(left) - table.evaluate(left)) < 1
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_can_be_read_in_both_themes(browser, report: Path, theme: str) -> None:
    """The contrast of WCAG 2, level AA, of every kind of text against its ground."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    opened = context.new_page()
    opened.goto(report.as_uri())
    colours = opened.evaluate(
        """() => [
          ".summary p", ".summary .answer", ".note", ".dots .text", ".dots small", "figcaption span", "td", "th",
          ".what", ".about"
        ].map(name => document.querySelector(name)).filter(Boolean).map(e => {
          let ground = e;
          while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
          return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor];
        })"""
    )
    context.close()

    def luminance(colour: str) -> float:
        parts = np.array([int(part) / 255 for part in re.findall(r"\d+", colour)[:3]])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    assert len(colours) >= 8
    for ink, ground in colours:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
