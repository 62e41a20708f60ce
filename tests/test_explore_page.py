"""The explorer's page in a real browser, with the real command behind it: every part, and what it must survive."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (looked for it on PATH)")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra dev)")
for extra in ("starlette", "uvicorn"):
    pytest.importorskip(extra, reason=f"{extra} is not installed (the extra explore)")

QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SMOOTH = "smooth_or_featured_smooth"
REFUSED = re.compile(
    r"Failed to load resource|GPU stall|GL Driver"
)  # what Chromium says of a refusal, and of its driver


class Server:
    """`tuningfork explore` as a process of its own."""

    def __init__(self, *arguments: object, port: int = 0) -> None:
        command = [
            sys.executable,
            "-m",
            "tuningfork",
            "explore",
            *map(str, arguments),
            "--no-browser",
            "--port",
            str(port),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.search(r"http://\S+token=\S+", said.replace("\n", "")):
                break
        assert found, said
        self.url = found[0]
        self.home = self.url.split("?")[0]

    def end(self, number: int = signal.SIGINT) -> None:
        with self.process:  # waits for it, and closes its output
            self.process.send_signal(number)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.end()


@pytest.fixture(scope="module")
def folder(galaxies: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of 120 galaxies, with intervals and positions, and its features."""
    from tuningfork.inference import embed, predict

    made = tmp_path_factory.mktemp("explored")
    predict(galaxies, made / "plain.parquet", model=model)
    table = pq.read_table(made / "plain.parquet")
    rng = np.random.default_rng(5)
    fraction = table[SMOOTH].to_numpy()
    columns = {
        f"{SMOOTH}_low": np.clip(fraction - 0.1, 0, 1).astype(np.float32),
        f"{SMOOTH}_high": np.clip(fraction + 0.1, 0, 1).astype(np.float32),
        "ra": rng.uniform(120, 240, len(table)),
        "dec": rng.uniform(0, 60, len(table)),
        "brightness": rng.normal(18, 1, len(table)),
    }
    for name, values in columns.items():
        table = table.drop_columns([name] if name in table.column_names else []).append_column(name, pa.array(values))
    pq.write_table(table, made / "galaxies.parquet")
    embed(galaxies, made / "features.parquet", model=model, maps=("pca",))
    return made


@pytest.fixture(scope="module")
def server(folder: Path, model: Path) -> Iterator[Server]:
    labels = ["--labels", folder / "labels.jsonl"]
    with Server(
        folder / "galaxies.parquet", "--embedding", folder / "features.parquet", "--model", model, *labels
    ) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--disable-gpu"])
        yield opened
        opened.close()


class Visit:
    """Pages of one browser, of which every request and complaint is kept."""

    def __init__(self, browser, **options: object) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(30_000)
        self.asked: list[str] = []
        self.complaints: list[str] = []

    def open(self, server: Server, fragment: str = "") -> object:
        page = self.context.new_page()
        page.on("request", lambda sent: self.asked.append(sent.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: REFUSED.search(said.text) or self.complaints.append(said.text))
        page.goto(server.url)
        if fragment:
            page.goto(f"{server.home}#{fragment}")
            page.reload()
        page.wait_for_selector(".status strong")
        return page

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.complaints == []
            assert {urlsplit(url).hostname for url in self.asked if not url.startswith(("data:", "blob:"))} == {
                "127.0.0.1"
            }


@pytest.fixture
def visit(browser) -> Iterator[Visit]:
    with Visit(browser) as made:
        yield made


@pytest.fixture
def page(visit: Visit, server: Server) -> object:
    opened = visit.open(server)
    opened.wait_for_selector(".cell img")
    return opened


def kept(page, number: int) -> None:
    """Wait until the page says that so many galaxies are kept."""
    page.wait_for_function("n => document.querySelector('.status strong').textContent === String(n)", arg=number)


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "galaxies.parquet")


def row_of(page) -> int:
    return page.evaluate("async () => (await import('./state.js')).cursor.value.row")


def current(page, row: int, *, equal: bool = True) -> None:
    """Wait until the current galaxy is this one, or no longer is."""
    state = "import('./state.js').then((state) => (state.cursor.value.row === row) === equal)"
    page.wait_for_function(f"([row, equal]) => {state}", arg=[row, equal])


def column(page, title: str) -> object:
    """A column among the filters, opened and in view."""
    found = page.locator(".filter", has=page.get_by_role("button", name=title, exact=True))
    found.scroll_into_view_if_needed()
    if found.locator(".filter-name").get_attribute("aria-expanded") == "false":
        found.locator(".filter-name").click()
    return found


def drag(page, histogram, start: float, end: float) -> None:
    """Drag across a histogram between two shares of its width, once the page around it is still."""
    page.wait_for_load_state("networkidle")
    box = None
    while box != (box := histogram.bounding_box()):
        page.wait_for_timeout(200)
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], box["y"] + 20)
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 20)
    page.mouse.up()


def test_histograms_lists_and_words_filter(page, folder: Path) -> None:
    table = table_of(folder)
    kept(page, 120)
    drag(page, column(page, "smooth").locator(".histogram svg"), 0.5, 0.9)
    page.wait_for_selector(".chip")
    given = page.evaluate("async () => (await import('./state.js')).conditions.value")[SMOOTH]
    kept(page, int(table[SMOOTH].between(given["min"], given["max"]).sum()))
    column(page, "smooth").get_by_label("Least of").fill("0.2")
    column(page, "smooth").get_by_label("Least of").press("Enter")
    kept(page, int(table[SMOOTH].between(0.2, given["max"]).sum()))
    page.get_by_role("button", name="Clear all").click()
    kept(page, 120)

    value, count = table["five_class"].value_counts().index[0], int(table["five_class"].value_counts().iloc[0])
    column(page, "Five class").locator(".value", has_text=value).first.click()
    kept(page, count)
    assert page.locator(".chip").first.inner_text().startswith(f"Five class: {value}")
    page.get_by_role("button", name="Clear all").click()
    page.get_by_label("Search columns").fill("id")
    page.get_by_role("button", name="id", exact=True).click()
    page.get_by_label("id contains", exact=True).fill("g000")
    kept(page, 10)
    page.get_by_label("id contains", exact=True).fill("nothing is called so")
    page.get_by_text("No galaxy fits this filter.").wait_for()
    page.locator(".empty").get_by_role("button", name="Clear the filter").click()
    kept(page, 120)


def test_sorting_is_seen_in_grid_and_table(page, folder: Path) -> None:
    best = table_of(folder).sort_values("brightness", ascending=False)
    page.locator(".top select").select_option("brightness")
    page.wait_for_function(
        "n => document.querySelector('#cell-0')?.getAttribute('aria-label').startsWith(n)", arg=best["id_str"].iloc[0]
    )
    assert page.locator("#cell-0 .caption").inner_text() == f"{best['brightness'].iloc[0]:.4g}"
    page.get_by_role("button", name="Highest first; turn round").click()
    page.wait_for_function(
        "n => document.querySelector('#cell-0')?.getAttribute('aria-label').startsWith(n)", arg=best["id_str"].iloc[-1]
    )

    page.keyboard.press("t")
    page.get_by_role("button", name="Choose columns").click()
    page.get_by_role("checkbox", name="brightness").check()
    page.keyboard.press("Escape")
    header = page.get_by_role("columnheader", name="brightness")
    assert header.get_attribute("aria-sort") == "ascending"
    header.get_by_role("button").click()
    page.wait_for_function("n => document.querySelector('#row-0')?.textContent.includes(n)", arg=best["id_str"].iloc[0])
    first = page.locator("#row-0 .first")
    before = first.bounding_box()["x"]
    page.locator(".table").evaluate("e => e.scrollTo(400, 0)")
    assert first.bounding_box()["x"] == before


def test_any_number_of_rows_scrolls_and_only_those_in_view_are_drawn(page) -> None:
    page.locator(".slider", has_text="Size").locator("input").fill("320")
    page.locator(".grid").evaluate("e => e.scrollTo(0, e.scrollHeight)")
    page.wait_for_selector("#cell-119 img")
    assert page.locator(".cell").count() < 40


def test_keys_do_everything(page) -> None:
    page.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#cell-0.current")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#cell-1.current")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector("#cell-3.selected.current")
    assert page.locator(".selection-count").inner_text() == "3 selected"
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    assert page.locator(".selection-count").inner_text() == "4 selected"
    page.keyboard.press("Escape")
    assert page.locator(".selection-count").inner_text() == "0 selected"
    row = row_of(page)
    page.keyboard.press("j")
    assert row_of(page) == row + 1
    page.keyboard.press("k")
    assert row_of(page) == row
    page.keyboard.press("?")
    page.get_by_text("Enlarge the picture").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.wait_for_selector(".enlarged img")
    page.keyboard.press("Escape")
    page.wait_for_selector(".enlarged img", state="detached")
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "Search columns"
    page.keyboard.type("gmt")  # words, not views
    assert page.locator(".grid").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.wait_for_selector(".table")


def test_a_galaxy_shows_its_picture_answers_neighbours_and_place(page, folder: Path) -> None:
    table = table_of(folder)
    page.locator("#cell-7").click()
    panel = page.locator(".panel.galaxy")
    panel.get_by_role("heading", name=table["id_str"][7]).wait_for()
    fraction = table[SMOOTH][7]
    first = panel.locator(".tree-answer").first
    assert first.locator(".tree-value").inner_text() == f"{fraction:.2f}"
    assert float(first.locator(".tree-fill").get_attribute("width")) == pytest.approx(100 * fraction, abs=0.01)
    assert first.locator(".tree-whisker").count() == 1
    assert panel.locator(".tree-step").count() > 2
    panel.locator(".band").nth(1).click()
    page.wait_for_function("() => document.querySelector('.large-frame img').src.includes('band=0')")
    panel.get_by_role("button", name="Whole frame").click()
    panel.locator(".slider input").fill("0.5")
    page.wait_for_function("() => document.querySelector('.large-frame img').naturalWidth > 0")
    assert "view=frame&stretch=0.5" in panel.locator(".large-frame img").first.get_attribute("src")
    panel.get_by_role("button", name="Copy the position").click()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert [float(part) for part in copied.split()] == pytest.approx([table["ra"][7], table["dec"][7]], abs=1e-4)
    assert panel.locator(".sky-here").count() == 1
    panel.locator("summary").click()
    assert panel.locator(".all-columns dd").first.inner_text() == table["id_str"][7]
    panel.locator(".similar-one img").first.wait_for()
    panel.locator(".similar-one").first.click()
    page.wait_for_function("() => !document.querySelector('.galaxy-head h2').textContent.endsWith('0007')")


def test_grad_cam_on_demand(page) -> None:
    page.locator("#cell-2").click()
    page.locator(".panel.galaxy .choice select").select_option(SMOOTH)
    page.wait_for_selector(".heat.here", timeout=60_000)
    assert page.locator(".heat").evaluate("e => e.naturalWidth") > 0


def lasso(page) -> None:
    """All the way round the map."""
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".map-overlay").bounding_box()
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.05)]
    for index, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if index == 0:
            page.mouse.down()
    page.mouse.up()


def test_the_map_on_a_canvas_filters_selects_and_comes_near(page, folder: Path) -> None:
    page.keyboard.press("m")
    page.wait_for_selector(".map-host[data-renderer=canvas]")
    page.locator(".view-tools select").nth(1).select_option("five_class")
    page.wait_for_selector(".legend-class")
    lasso(page)
    page.wait_for_function("() => document.querySelector('.selection-count').textContent === '120 selected'")
    value, count = (
        table_of(folder)["five_class"].value_counts().index[0],
        int(table_of(folder)["five_class"].value_counts().iloc[0]),
    )
    page.locator(".legend-class", has_text=value).first.click()
    kept(page, count)
    page.wait_for_timeout(300)
    lasso(page)
    page.wait_for_function("n => document.querySelector('.selection-count').textContent === `${n} selected`", arg=count)
    page.locator(".view-tools select").nth(1).select_option(SMOOTH)
    page.wait_for_selector(".colour-bar")
    page.locator(".map-box").focus()
    for _ in range(12):
        page.keyboard.press("+")
    page.get_by_role("button", name="Show all").click()
    page.keyboard.press("g")
    page.wait_for_selector(".cell.selected")
    page.get_by_role("button", name="Show only these").click()
    page.get_by_role("button", name="Take away: Five class").click()
    kept(page, count)


def test_near_points_are_pictures_and_a_press_opens_one(page) -> None:
    page.keyboard.press("m")
    page.wait_for_selector(".legend")
    page.locator(".view-tools select").first.select_option("columns")
    page.get_by_label("Across").select_option("ra")
    page.get_by_label("Up").select_option("dec")
    box = page.locator(".map-overlay").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(3):
        page.mouse.wheel(0, -200)
    thumb = page.locator(".map-thumb").first
    thumb.locator("img").wait_for()
    place = thumb.bounding_box()
    page.mouse.click(place["x"] + 30, place["y"] + 30)
    page.wait_for_selector(".galaxy-head h2")
    assert row_of(page) is not None


def test_the_map_in_webgl(browser, server: Server) -> None:
    options = [*QUIET, "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-watchdog"]
    opened = browser.browser_type.launch(executable_path=CHROMIUM, args=options)
    with Visit(opened) as visit:
        visit.context.set_default_timeout(120_000)  # all is drawn in software
        page = visit.open(server, "view=map&renderer=webgl")
        page.wait_for_selector(".map-host[data-renderer]")
        if page.locator(".map-host").get_attribute("data-renderer") == "canvas":
            pytest.skip("Chromium has no WebGL on this machine, not in software either")
        page.wait_for_selector(".legend-class")
        page.wait_for_timeout(1000)
        assert page.frame_locator("iframe.map-points").locator("canvas").count() == 1
        colours = Image.open(BytesIO(page.locator(".map-box").screenshot())).convert("RGB").getcolors(1 << 20)
        assert len(colours) > 50
        lasso(page)
        page.wait_for_function("() => document.querySelector('.selection-count').textContent === '120 selected'")
    opened.close()


def test_the_canvas_draws_where_the_frame_of_webgl_does_not_load(visit: Visit, server: Server) -> None:
    visit.context.route("**/map.html", lambda route: None)  # never answered
    page = visit.open(server, "view=map&renderer=webgl")
    page.wait_for_selector(".map-host[data-renderer=canvas]")
    assert page.locator("iframe.map-points").count() == 0


def test_a_link_shows_the_same_view(visit: Visit, server: Server, folder: Path) -> None:
    page = visit.open(server)
    value = table_of(folder)["five_class"].value_counts().index[0]
    column(page, "Five class").locator(".value", has_text=value).first.click()
    page.locator(".top select").select_option("brightness")
    page.keyboard.press("t")
    page.locator("#row-2 .first span").click()
    page.wait_for_selector(".galaxy-head h2")
    name = page.locator(".galaxy-head h2").inner_text()
    page.get_by_role("button", name="Copy a link to this view").click()
    link = page.evaluate("() => navigator.clipboard.readText()")
    other = visit.open(server, urlsplit(link).fragment)
    other.get_by_role("heading", name=name).wait_for()
    assert other.locator(".table").is_visible()
    assert other.locator(".chip").first.inner_text().startswith(f"Five class: {value}")
    assert other.locator(".top select").input_value() == "brightness"
    assert other.locator(".status strong").inner_text() == page.locator(".status strong").inner_text()
    broken = visit.open(server, "view=nowhere&filter=%7B%22none%22&sort=12&galaxy=1e9&map=null&columns=3&stretch=x")
    kept(broken, 120)


def test_from_a_question_to_a_model(visit: Visit, page, server: Server, folder: Path, galaxies: Path) -> None:
    keys = ["1" if name == "round" else "2" for name in pd.read_parquet(galaxies)["five_class"]]
    page.keyboard.press("l")
    page.get_by_role("button", name="Begin to label").click()
    page.get_by_text("Name two classes at least").wait_for()
    page.get_by_placeholder("rings").fill("roundness")
    page.get_by_label("Class 1", exact=True).fill("<b>round</b>")
    page.get_by_label("Class 2", exact=True).fill("not round")
    page.get_by_role("button", name="Begin to label").click()
    page.wait_for_selector(".stage-picture img")
    assert page.locator(".large-answers .answer").first.inner_text().split() == ["1", "<b>round</b>"]
    page.locator(".view-tools select").select_option("random")
    page.wait_for_timeout(500)

    before = row_of(page)
    page.keyboard.press("1")
    current(page, before, equal=False)
    page.wait_for_function("() => document.querySelector('.label-progress .big').textContent === '1'")
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelector('.label-progress .big').textContent === '0'")
    current(page, before)
    page.keyboard.press("s")
    current(page, before, equal=False)

    other = visit.open(server, "view=table&columns=[]")
    for _ in range(26):
        row = row_of(page)
        page.keyboard.press(keys[row])
        current(page, row, equal=False)
    page.wait_for_function("() => document.querySelector('.label-progress .big').textContent === '26'")
    assert int(re.search(r"(\d+) of them set aside", page.locator(".label-progress").inner_text())[1]) > 0
    page.get_by_role("button", name="Learn now").click()
    page.wait_for_selector(".accuracy .big")
    assert re.fullmatch(r"\d+ %", page.locator(".accuracy .big").inner_text())
    assert re.search(r"95 % interval \d+ % to \d+ %", page.locator(".accuracy").inner_text())
    assert page.locator(".history-dot").count() >= 1

    other.bring_to_front()
    other.wait_for_function("() => document.querySelector('.status').textContent.includes('26 labelled')")
    page.bring_to_front()

    page.get_by_role("button", name="Train").click()
    command = page.locator(".command code")
    command.wait_for(timeout=30_000)
    assert (folder / "roundness-model" / "model.json").is_file()
    assert "roundness-model" in command.inner_text()
    page.get_by_role("button", name="surest first").first.click()
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('#cell-0 .caption')?.textContent)")
    shown = [float(text.replace("<0.001", "0")) for text in page.locator(".cell .caption").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)

    page.locator("#cell-0").click()
    page.get_by_role("button", name="Yes", exact=True).click()
    page.get_by_text("1 judged").wait_for()
    page.locator(".top select").select_option("order:anomaly")
    page.get_by_text("how unusual they are").last.wait_for()


@pytest.mark.parametrize("kind", ["csv", "html"])
def test_a_selection_is_taken_away(page, folder: Path, tmp_path: Path, kind: str) -> None:
    page.locator("#cell-3").click(modifiers=["Control"])
    page.locator("#cell-5").click(modifiers=["Control"])
    page.get_by_role("button", name="Take away").click()
    page.locator(f"input[value={kind}]").check()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save the file").click()
    caught.value.save_as(tmp_path / "taken")
    names = table_of(folder)["id_str"]
    if kind == "csv":
        assert pd.read_csv(tmp_path / "taken")["id_str"].tolist() == [names[3], names[5]]
    else:
        text = (tmp_path / "taken").read_text()
        assert names[3] in text
        assert names[4] not in text
    page.get_by_role("button", name="Send to TOPCAT, Aladin").click()
    page.wait_for_selector(".notice.wrong")


def test_nothing_is_lost_while_the_server_is_gone(browser, folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    question = 'name = "odd"\ntitle = "Odd?"\nkind = "classes"\nlabel_column = "odd"\n'
    classes = '[[class]]\nname = "odd"\nlabel = "odd"\n[[class]]\nname = "plain"\nlabel = "plain"\n'
    (tmp_path / "schema.toml").write_text(question + classes)
    arguments = [
        folder / "galaxies.parquet",
        "--labels",
        tmp_path / "labels.jsonl",
        "--schema",
        tmp_path / "schema.toml",
    ]
    with Server(*arguments, port=port) as server, Visit(browser) as visit:
        page = visit.open(server)
        page.locator("#cell-4").click()
        page.wait_for_selector(".answer")
        server.end(signal.SIGKILL)
        page.keyboard.press("1")
        page.keyboard.press("j")
        page.keyboard.press("2")
        page.get_by_text("The server does not answer").wait_for()
        page.get_by_text("2 labels wait here").wait_for()
        with Server(*arguments, port=port) as again:
            page.get_by_text("The server was started anew").wait_for()
            other = visit.open(again)
            page.wait_for_selector(".banner", state="detached")
            page.wait_for_function("() => document.querySelector('.status').textContent.includes('2 labelled')")
            other.wait_for_selector(".badge")
    names = table_of(folder)["id_str"]
    events = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()[1:]]
    given = [(event["id"], event["answer"]) for event in events if event["kind"] == "label"]
    assert given == [(names[4], "odd"), (names[5], "plain")]


def ask(page, name: str, *classes: str) -> None:
    """Make a question in the form that is open."""
    page.get_by_placeholder("rings").fill(name)
    for number, each in enumerate(classes, start=1):
        page.get_by_label(f"Class {number}", exact=True).fill(each)
    page.get_by_role("button", name="Begin to label").click()
    page.wait_for_selector(".stage-picture img")


def test_two_tabs_ask_two_questions(browser, folder: Path, tmp_path: Path) -> None:
    """What is typed in one is no answer in the other, and each has its own labels."""
    path = tmp_path / "labels.jsonl"
    with Server(folder / "galaxies.parquet", "--labels", path) as server, Visit(browser) as visit:
        first, second = visit.open(server), visit.open(server)
        for page in (first, second):
            page.bring_to_front()
            page.keyboard.press("l")
            page.get_by_placeholder("rings").wait_for()
        second.get_by_placeholder("rings").click()
        second.keyboard.type("arms ")
        first.bring_to_front()
        ask(first, "bars", "bar", "no bar")
        second.bring_to_front()
        second.wait_for_timeout(1500)  # the first question has come to this tab
        second.keyboard.type("1 us 2")
        assert second.get_by_placeholder("rings").input_value() == "arms 1 us 2"
        second.locator(".setup h2").click()
        second.keyboard.press("1")  # no field has it, and no question
        ask(second, "arms", "two", "many")
        for page, keys in ((second, "121"), (first, "22")):
            page.bring_to_front()
            for n, key in enumerate(keys, start=1):
                page.keyboard.press(key)
                page.wait_for_function(
                    "n => document.querySelector('.label-progress .big').textContent === n", arg=str(n)
                )
    events = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    given = [(event["schema"], event["answer"]) for event in events if event["kind"] == "label"]
    assert given == [("arms", "two"), ("arms", "many"), ("arms", "two"), ("bars", "no-bar"), ("bars", "no-bar")]


def test_a_bound_that_is_typed_holds_to_the_digit(page, folder: Path) -> None:
    column(page, "smooth").get_by_label("Least of").fill("1.5")  # beyond all
    column(page, "smooth").get_by_label("Least of").press("Enter")
    kept(page, 0)
    column(page, "smooth").get_by_label("Least of").fill("many")
    column(page, "smooth").get_by_label("Least of").press("Enter")
    page.get_by_text("“many” is no number.").wait_for()
    kept(page, 0)
    values = table_of(folder)[SMOOTH].sort_values().to_numpy()
    column(page, "smooth").get_by_label("Least of").fill(repr(float(values[60])))
    column(page, "smooth").get_by_label("Least of").press("Enter")
    kept(page, int((values >= values[60]).sum()))


HOSTILE = [
    "<img src=x onerror=\"document.title='run'\">",
    "<script>document.title='run'</script>",
    "\"><svg onload=document.title='run'>",
    "javascript:document.title='run'",
    "../../../etc/passwd",
    "{{7*7}}${7*7}",
]


def test_hostile_names_are_text(browser, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index in range(len(HOSTILE)):
        Image.new("RGB", (40, 40), (index * 30, 90, 120)).save(tmp_path / "images" / f"{index}.png")
    rows = [
        {
            "id_str": name,
            "file_loc": f"images/{i}.png",
            "kind": HOSTILE[i % 3],
            HOSTILE[0]: float(i),
            "ra": 10.0 + i,
            "dec": 0.0,
        }
        for i, name in enumerate(HOSTILE)
    ]
    path = tmp_path / "<b>hostile<b>.parquet"
    pd.DataFrame(rows).to_parquet(path)
    with Server(path, "--labels", tmp_path / "labels.jsonl") as server, Visit(browser) as visit:
        page = visit.open(server)
        for view in "gtm":
            page.keyboard.press(view)
            page.wait_for_timeout(300)
        page.locator(".view-tools select").last.select_option("kind")
        page.wait_for_selector(".legend-class")
        while page.locator(".filter-name[aria-expanded=false]").count():
            page.locator(".filter-name[aria-expanded=false]").first.click()
        page.keyboard.press("g")
        for index, name in enumerate(HOSTILE):
            page.locator(f"#cell-{index}").click()
            page.wait_for_function("name => document.querySelector('.galaxy-head h2')?.textContent === name", arg=name)
        page.locator(".value").first.click()
        page.wait_for_selector(".chip")
        page.keyboard.press("l")
        page.get_by_placeholder("rings").fill("odd")
        page.get_by_label("Class 1", exact=True).fill(HOSTILE[0])
        page.get_by_label("Class 2", exact=True).fill(HOSTILE[2])
        page.get_by_role("button", name="Begin to label").click()
        page.wait_for_selector(".large-answers .answer")
        assert page.locator(".large-answers .answer span").first.inner_text() == HOSTILE[0]
        page.keyboard.press("1")
        page.wait_for_timeout(300)
        assert page.title() == "<b>hostile<b>.parquet · Tuningfork"
        assert page.locator("b, img[onerror], svg[onload], #app script").count() == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_stands_out_of_a_narrow_screen(browser, server: Server, width: int) -> None:
    with Visit(browser, viewport={"width": width, "height": 800}) as visit:
        page = visit.open(server)
        page.wait_for_selector(".cell img")
        for view in ("Grid", "Map", "Table"):
            page.locator(".tabs").get_by_role("button", name=view).click()
            page.wait_for_timeout(150)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        page.locator(".tabs").get_by_role("button", name="Grid").click()
        if width == 390:
            page.get_by_role("button", name="Filters").click()
            page.get_by_label("Search columns").click()
            page.locator(".panel.filters").get_by_role("button", name="Close").click()
            page.locator("#cell-1 img").click()
            page.locator(".panel.galaxy.open .tree-answer").first.wait_for()
            page.locator(".panel.galaxy").get_by_role("button", name="Close").click()


def test_dark_colours_follow_the_system_and_the_switch(browser, server: Server) -> None:
    with Visit(browser, color_scheme="dark", reduced_motion="reduce") as visit:
        page = visit.open(server)

        def ground() -> str:
            return page.evaluate(
                "() => getComputedStyle(document.body).backgroundColor + document.documentElement.dataset.theme"
            )

        assert ground().endswith("dark")
        page.get_by_role("button", name="Light colours").click()
        page.wait_for_function("() => document.documentElement.dataset.theme === 'light'")
        page.reload()
        page.wait_for_selector(".top")
        assert ground().endswith("light")
        assert page.evaluate(
            "() => getComputedStyle(document.querySelector('.caret') ?? document.body).transitionDuration"
        ) in ("0s", "")


def test_what_goes_wrong_is_said_where_it_is_looked_for(visit: Visit, server: Server, folder: Path) -> None:
    page = visit.open(server, "selection=of-another-day")
    page.get_by_text("The galaxies can't be listed.").wait_for(timeout=120_000)
    page.get_by_role("button", name="Clear the filter").click()
    kept(page, 120)
    page.route("**/image/**", lambda route: route.fulfill(status=404, json={"error": "gone"}))
    page.keyboard.press("t")
    page.keyboard.press("g")
    page.get_by_role("button", name="Whole frame").click()
    page.locator(".cell .no-image").first.wait_for()


def test_a_catalogue_of_names_alone_is_a_table_and_can_be_labelled(browser, tmp_path: Path) -> None:
    pd.DataFrame({"id_str": ["a", "b"], "size": [1.5, None]}).to_csv(tmp_path / "plain.csv", index=False)
    with Server(tmp_path / "plain.csv") as server, Visit(browser) as visit:
        page = visit.open(server)
        page.locator("#row-1").click()
        page.get_by_text("There are no images").wait_for()
        assert page.locator("#row-1").inner_text().split() == ["b", "–"]

        page.keyboard.press("l")
        page.get_by_placeholder("rings").fill("odd")
        page.get_by_label("Class 1", exact=True).fill("odd")
        page.get_by_label("Class 2", exact=True).fill("plain")
        page.get_by_role("button", name="Begin to label").click()
        page.wait_for_selector(".question")
        assert page.locator(".label-view select option").all_text_contents() == ["At random"]
        for labelled in ("1", "2"):
            page.wait_for_selector(".stage-picture")
            page.keyboard.press(labelled)
            page.wait_for_function(
                "n => document.querySelector('.label-progress .big').textContent === n", arg=labelled
            )
        page.get_by_text("Nothing is left to label.").wait_for()
        page.wait_for_timeout(500)
        assert sum(url.endswith("/api/labels/next") for url in visit.asked) < 6
