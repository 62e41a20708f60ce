"""The simulator draws what it says, reproducibly, and its volunteers obey the tree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simplejpeg
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaincc, gammaincinv

from tuningfork.errors import CatalogError, OutputError, TuningforkError
from tuningfork.schemas import check_labels, load_schema
from tuningfork.simulate import CLASSES, DEFAULT_MIX, contact_sheet, run, simulate_galaxies
from tuningfork.simulate.bodies import draw
from tuningfork.simulate.camera import blur, expose, sky_noise
from tuningfork.simulate.colour import band_fluxes, picture
from tuningfork.simulate.drawing import Drawing
from tuningfork.simulate.encounter import meet
from tuningfork.simulate.galaxy import simulate_one
from tuningfork.simulate.profiles import Grid, deposit, edge_on_disc, ferrers_bar, integrate, sersic, sersic_b
from tuningfork.simulate.truth import FRAME_ARCSEC, draw_truth
from tuningfork.simulate.volunteers import opinions, panel_size, vote

GRID = Grid(212, FRAME_ARCSEC / 212)
TREE = load_schema("gz-challenge")
SMALL = 40  # images, of 48 pixels: enough for every rule that does not look at pixels


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_galaxies(tmp_path_factory.mktemp("sky") / "out", 440, 1, size=48, workers=1).parent


@pytest.fixture(scope="module")
def catalog(simulated: Path) -> pd.DataFrame:
    return pd.read_parquet(simulated / "catalog.parquet")


# Profiles against independent references.


@pytest.mark.parametrize("n", [0.5, 1.0, 2.5, 4.0, 6.0])
def test_b_n_encloses_half_the_light(n: float) -> None:
    assert sersic_b(n) == pytest.approx(gammaincinv(2 * n, 0.5), rel=5e-4)


@pytest.mark.parametrize("axis_ratio", [1.0, 0.5, 0.2])
@pytest.mark.parametrize("n", [0.5, 1.0, 2.5, 4.0])
def test_a_sersic_body_has_its_half_light_radius(n: float, axis_ratio: float) -> None:
    """The flux inside ellipses grows through half the total at r_e: measured on pixels, to 2 % in radius."""
    angle, at, radius = 30.0, (0.13, -0.21), 5.0
    image = integrate(sersic(1000.0, radius, n, axis_ratio), GRID, *at, angle)
    turn = np.deg2rad(angle + 90)
    x, y = GRID.x - at[0], GRID.y - at[1]
    r = np.hypot(x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / axis_ratio)
    order = np.argsort(r, axis=None)
    inside = np.cumsum(image.ravel()[order], dtype=np.float64)
    assert r.ravel()[order][np.searchsorted(inside, 500.0)] == pytest.approx(radius, rel=0.02)


@pytest.mark.parametrize("n", [0.5, 1.0, 4.0])
def test_the_frame_holds_the_share_of_flux_that_the_law_gives_it(n: float) -> None:
    image = integrate(sersic(100.0, 4.0, n), GRID, 0.1, 0.07, 0.0)
    r = np.hypot(GRID.x - 0.1, GRID.y - 0.07)
    outside = gammaincc(2 * n, sersic_b(n) * (40.0 / 4.0) ** (1 / n))
    assert image[r < 40.0].sum(dtype=np.float64) == pytest.approx(100 * (1 - outside), rel=0.01)


def test_boxy_bars_and_edge_on_profiles_have_their_flux() -> None:
    for profile in (
        sersic(100.0, 4.0, 1.0, 0.6, boxiness=4.0),
        ferrers_bar(100.0, 8.0, 0.3, index=0.7),
        edge_on_disc(100.0, 4.0, 1.0),
    ):
        assert integrate(profile, GRID, 0.0, 0.0, 37.0).sum(dtype=np.float64) == pytest.approx(100.0, rel=0.01)


@given(axis_ratio=st.floats(0.3, 1.0), angle=st.floats(0, 179), x0=st.floats(-1, 1), y0=st.floats(-1, 1))
@settings(max_examples=15, deadline=None)
def test_second_moments_give_back_axis_ratio_angle_and_centre(
    axis_ratio: float, angle: float, x0: float, y0: float
) -> None:
    image = integrate(sersic(1.0, 4.0, 0.5, axis_ratio), GRID, x0, y0, angle).astype(np.float64)
    image /= image.sum()
    x, y = np.broadcast_arrays(GRID.x.astype(float), GRID.y.astype(float))
    assert (image * x).sum() == pytest.approx(x0, abs=0.02)
    assert (image * y).sum() == pytest.approx(y0, abs=0.02)
    dx, dy = x - x0, y - y0
    moments = np.array([[(image * a * b).sum() for b in (dx, dy)] for a in (dx, dy)])
    small, large = np.linalg.eigvalsh(moments)
    assert np.sqrt(small / large) == pytest.approx(axis_ratio, abs=0.01)
    if axis_ratio < 0.9:
        east_x, north_y = np.linalg.eigh(moments)[1][:, 1]
        measured = np.rad2deg(np.arctan2(-east_x, north_y)) % 180  # from north (up) to east (left)
        assert abs((measured - angle + 90) % 180 - 90) < 1.0


def test_points_keep_their_flux_and_place() -> None:
    image = deposit(GRID, np.array([3.3]), np.array([-7.7]), np.array([5.0]))
    assert image.sum() == pytest.approx(5.0, rel=1e-6)
    assert (image * GRID.x).sum() / 5 == pytest.approx(3.3, abs=1e-4)
    assert (image * GRID.y).sum() / 5 == pytest.approx(-7.7, abs=1e-4)
    assert deposit(GRID, np.array([1e4]), np.array([0.0]), np.array([1.0])).sum() == 0


# The camera.


def test_blur_keeps_flux_and_has_the_width_asked_for() -> None:
    light = np.zeros((3, 212, 212), dtype=np.float32)
    light[:, 106, 106] = 10.0
    blurred = blur(light, GRID, 1.6)
    assert blurred.sum(axis=(1, 2)) == pytest.approx([10.0] * 3, rel=1e-3)
    profile = blurred[1, 106]
    crossing = np.interp(-profile[106] / 2, -profile[106:120], np.arange(14)) * GRID.scale
    assert 2 * crossing == pytest.approx(1.6, rel=0.05)


def test_noise_is_the_skys_and_grows_with_the_light() -> None:
    rng = np.random.default_rng(0)
    dark = expose(np.zeros((3, 212, 212), dtype=np.float32), GRID, 1.2, rng)
    assert dark.std(axis=(1, 2)) == pytest.approx(sky_noise(GRID), rel=0.03)
    assert np.abs(dark.mean(axis=(1, 2))) == pytest.approx([0, 0, 0], abs=1e-3)
    bright = expose(np.full((3, 212, 212), 5.0, dtype=np.float32), GRID, 1.2, rng)
    assert (bright[:, 60:150, 60:150].std(axis=(1, 2)) > 2 * dark.std(axis=(1, 2))).all()


def test_a_picture_keeps_colour_however_bright_and_puts_north_up() -> None:
    def colour(level: float) -> np.ndarray:
        flux = np.full((3, 2, 2), level, dtype=np.float32) * band_fluxes(1.0)[:, None, None]
        return picture(flux, 1.0)[0, 0].astype(float) - 3.5

    faint, bright = colour(0.3), colour(1.5)
    assert faint / faint.max() == pytest.approx(bright / bright.max(), abs=0.03)
    assert bright[0] > bright[1] > bright[2]  # old stars are red
    flux = np.zeros((3, 4, 4), dtype=np.float32)
    flux[:, -1, 0] = 1.0  # the last FITS row is north
    assert picture(flux, 1.0)[0, 0].min() > picture(flux, 1.0)[3, 0].max()


# What is drawn.


@pytest.mark.parametrize("name", CLASSES[:-1])  # a trail has no magnitude
def test_a_class_has_the_flux_of_its_magnitude(name: str) -> None:
    """Within the frame: Sersic wings leave it, and edge-on discs lose light to dust."""
    rng = np.random.default_rng(3)
    truth = draw_truth(name, rng)
    drawing = Drawing(GRID)
    draw(truth, drawing, rng)
    share = drawing.light[1].sum(dtype=np.float64) / truth.flux_r
    assert (0.55 if "edge-on" in name else 0.9) < share < 1.01


def test_ellipticals_are_redder_than_spirals() -> None:
    def g_minus_r(name: str) -> float:
        rng, light = np.random.default_rng(0), np.zeros(3)
        for _ in range(5):
            drawing = Drawing(Grid(64, FRAME_ARCSEC / 64))
            draw(draw_truth(name, rng), drawing, rng)
            light += drawing.light.sum(axis=(1, 2))
        return float(-2.5 * np.log10(light[0] / light[1]))

    assert g_minus_r("smooth-round") > g_minus_r("spiral") + 0.15 > g_minus_r("irregular") + 0.15


def test_an_encounter_throws_out_tails() -> None:
    """Some stars end farther from both nuclei than any disc reached, and most stay bound."""
    encounter = meet(1.0, 1.0, 3.0, np.random.default_rng(0))
    away = np.linalg.norm(encounter.stars[:, :, None] - encounter.nuclei[None, None], axis=-1).min(axis=-1)
    assert 0.02 < (away > 1.5).mean() < 0.4
    centre = encounter.nuclei.mean(axis=0)
    assert np.abs(centre).max() < 1e-6  # equal masses: the middle stays where it was


def test_every_class_is_drawn(catalog: pd.DataFrame) -> None:
    assert set(catalog["sim_class"]) == set(CLASSES) == set(DEFAULT_MIX)
    assert tuple(load_schema("simulated-classes").class_names) == CLASSES


def test_truth_has_what_its_class_needs(catalog: pd.DataFrame) -> None:
    spirals = catalog[catalog["sim_class"].isin(["spiral", "barred-spiral"])]
    assert spirals[["arms", "pitch_angle_deg", "winding_deg", "inclination_deg"]].notna().all(axis=None)
    assert spirals["bar_length_arcsec"].notna().equals(spirals["sim_class"] == "barred-spiral")
    assert set(spirals["arms"]) >= {1, 2, 3, 4}
    smooth = catalog[catalog["sim_class"].str.startswith("smooth")]
    assert smooth["arms"].isna().all()
    assert smooth.groupby("sim_class")["axis_ratio"].mean().is_monotonic_increasing  # cigar, in-between, round


# Volunteers.


@given(seed=st.integers(0, 2**32), volunteers=st.integers(1, 80), scale=st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_any_panel_obeys_the_tree_exactly(seed: int, volunteers: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    asked = {question.name: rng.normal(0, scale, len(question.answers)) for question in TREE.questions}
    counts = vote(asked, TREE, volunteers, rng)
    assert (counts >= 0).all()
    for question in TREE.questions:
        expected = counts[list(TREE.parent_positions(question))].sum() if question.parents else volunteers
        assert counts[TREE.slices[question.name]].sum() == expected


def test_votes_follow_the_log_weights() -> None:
    """A softmax, up to the leniency that only lenient answers have."""
    asked = {question.name: np.zeros(len(question.answers)) for question in TREE.questions}
    asked["smooth-or-featured"] = np.array([50.0, 0.0, 0.0])
    asked["roundedness"] = np.log([0.2, 0.5, 0.3])
    counts = vote(asked, TREE, 20_000, np.random.default_rng(0))
    assert counts[TREE.slices["roundedness"]] / 20_000 == pytest.approx([0.2, 0.5, 0.3], abs=0.015)


def test_panels_hold_about_forty() -> None:
    rng = np.random.default_rng(0)
    sizes = [panel_size(rng) for _ in range(1000)]
    assert np.mean(sizes) == pytest.approx(40, abs=1.5)
    assert min(sizes) >= 10


def test_the_catalogs_labels_pass(catalog: pd.DataFrame) -> None:
    for name in ("gz-challenge", "simulated-classes"):
        check_labels(catalog, load_schema(name), "the simulated catalog")
    counts = catalog[[f"{column}_count" for column in TREE.columns]].to_numpy()
    fractions = catalog[list(TREE.columns)].to_numpy()
    assert np.array_equal(counts / catalog[["n_volunteers"]].to_numpy(), fractions)
    assert catalog["id_str"].is_unique


def test_bright_features_win_and_faint_ones_are_called_smooth() -> None:
    truth = next(t for k in range(200) if (t := draw_truth("barred-spiral", np.random.default_rng(k))).inclination < 35)
    bright = {"arms": 8.0, "bar": 12.0}
    faint = {"arms": 0.2, "bar": 0.3}
    rng = np.random.default_rng(0)
    seen, lost = (
        dict(zip(TREE.columns, vote(opinions(truth, v), TREE, 2000, rng) / 2000, strict=True)) for v in (bright, faint)
    )
    assert min(seen["Class1.2"], seen["Class2.2"], seen["Class3.1"], seen["Class4.1"]) > 0.7
    assert lost["Class1.1"] > 0.8


def test_a_class_is_mostly_voted_what_it_is(catalog: pd.DataFrame) -> None:
    means = catalog.groupby("sim_class")[list(TREE.columns)].mean()
    winners = {
        "smooth-round": "Class7.1", "smooth-in-between": "Class7.2", "smooth-cigar": "Class7.3",
        "edge-on-no-bulge": "Class9.3", "barred-spiral": "Class3.1", "spiral": "Class4.1", "ring": "Class8.1",
        "merger": "Class8.6", "irregular": "Class8.4", "star-or-artifact": "Class1.3",
    }  # fmt: skip
    for name, column in winners.items():
        assert means.loc[name, column] > 0.4, (name, column)
    assert means.loc["edge-on-bulge", ["Class9.1", "Class9.2"]].sum() > 0.6


def test_the_fainter_the_arms_the_smoother_the_votes(catalog: pd.DataFrame) -> None:
    spirals = catalog[catalog["sim_class"] == "spiral"]
    assert spirals["arms_visibility"].corr(spirals["Class1.1"], method="spearman") < -0.6


# Runs.


def test_same_seed_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    n = 60
    for name, workers in (("one", 1), ("two", 2)):
        simulate_galaxies(tmp_path / name, n, 7, size=48, workers=workers)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


def test_an_image_depends_on_seed_and_index_alone(simulated: Path, tmp_path: Path) -> None:
    few = simulate_galaxies(tmp_path / "few", 3, 1, size=48).parent
    ours, theirs = folder_bytes(few / "images"), folder_bytes(simulated / "images")
    assert len(ours) == 3
    assert all(theirs[name] == content for name, content in ours.items())
    other = simulate_galaxies(tmp_path / "other", 3, 2, size=48).parent
    assert set(folder_bytes(other / "images").values()).isdisjoint(ours.values())


def test_truth_does_not_depend_on_the_size() -> None:
    small, large = (simulate_one(1, 5, size, DEFAULT_MIX).row for size in (48, 212))
    for name, value in small.items():
        if "visibility" not in name and "Class" not in name and "signal" not in name:
            assert value == large[name] or value != value, name


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 70
    whole = simulate_galaxies(tmp_path / "whole", n, 3, size=48, workers=1).parent
    drawn = []

    def killed(*arguments: object) -> object:
        if len(drawn) == 60:
            raise KeyboardInterrupt
        drawn.append(arguments)
        return simulate_one(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(run, "simulate_one", killed)
        with pytest.raises(KeyboardInterrupt):
            simulate_galaxies(tmp_path / "broken", n, 3, size=48, workers=1)
    assert not (tmp_path / "broken" / "catalog.parquet").exists()
    (tmp_path / "broken" / "images" / "sim-3-000055.jpg").write_bytes(b"half an im")  # as a kill may leave it
    simulate_galaxies(tmp_path / "broken", n, 3, size=48, workers=1)
    assert folder_bytes(tmp_path / "broken") == folder_bytes(whole)


def test_a_finished_run_is_not_done_again_but_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = simulate_galaxies(tmp_path / "out", 5, 3, size=48).parent
    before = folder_bytes(out)
    with monkeypatch.context() as patch:
        patch.setattr(run, "simulate_one", None)
        simulate_galaxies(out, 5, 3, size=48)
    (out / "images" / "sim-3-000002.jpg").unlink()
    simulate_galaxies(out, 5, 3, size=48)
    assert folder_bytes(out) == before


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear me")
    with pytest.raises(OutputError, match=r"holds something else \(thesis.tex\)"):
        simulate_galaxies(tmp_path, 3, 1, size=48)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    simulate_galaxies(tmp_path / "out", 3, 1, size=48)
    with pytest.raises(OutputError, match="seed is 1, not 2"):
        simulate_galaxies(tmp_path / "out", 3, 2, size=48)


def test_a_mix_draws_what_it_names(tmp_path: Path) -> None:
    catalog = simulate_galaxies(tmp_path / "out", 12, 1, size=48, mix={"ring": 1, "merger": 0})
    assert set(pd.read_parquet(catalog)["sim_class"]) == {"ring"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "at least 1"),
        ({"seed": -1}, "negative"),
        ({"size": 8}, "outside 32 to 2048"),
        ({"workers": 0}, "workers"),
        ({"mix": {"blob": 1.0}}, "no class named 'blob'"),
        ({"mix": {"ring": -1.0}}, "give 0 or more"),
        ({"mix": {"ring": 0.0}}, "every weight is 0"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_made(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    given_arguments = {"n": 3, "seed": 1} | arguments
    with pytest.raises(TuningforkError, match=message):
        simulate_galaxies(tmp_path / "out", **given_arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_fits_files_hold_flux_sky_and_truth(tmp_path: Path) -> None:
    catalog = simulate_galaxies(tmp_path / "out", 2, 1, size=64, fits=True)
    row = pd.read_parquet(catalog).iloc[0]
    path = catalog.parent / "fits" / f"{row['id_str']}.fits"
    with fits.open(path) as hdus:
        hdus.verify("exception")
        data, header = hdus[0].data, hdus[0].header
        assert data.shape == (3, 64, 64)
        assert data.dtype.itemsize == 4
        assert header["BUNIT"] == "nanomaggy"
        assert header["SIM_CLASS"] == row["sim_class"]
        assert header["HALF_LIGHT_RADIUS_ARCSEC"] == pytest.approx(row["half_light_radius_arcsec"])
        sky = WCS(header)
    assert sky.has_celestial
    centre = sky.celestial.pixel_to_world(31.5, 31.5)
    assert (centre.ra.deg, centre.dec.deg) == pytest.approx((row["ra"], row["dec"]))
    side = sky.celestial.pixel_to_world(31.5, -0.5).separation(sky.celestial.pixel_to_world(31.5, 63.5))
    assert side.arcsec == pytest.approx(212 * 0.396, rel=1e-4)
    assert sky.celestial.pixel_to_world(31.5, 40).dec > centre.dec  # rows go north
    rgb = simplejpeg.decode_jpeg((catalog.parent / row["file_loc"]).read_bytes())
    assert np.abs(rgb.astype(float) - picture(data, (FRAME_ARCSEC / 64 / 0.396) ** 2)).mean() < 3


def test_a_contact_sheet_shows_each_class(simulated: Path, tmp_path: Path) -> None:
    contact_sheet(simulated / "catalog.parquet", tmp_path / "sheet.jpg", per_class=3)
    sheet = simplejpeg.decode_jpeg((tmp_path / "sheet.jpg").read_bytes())
    assert sheet.shape == (len(CLASSES) * (28 + 14), 3 * 28, 3)
    with pytest.raises(CatalogError, match="cannot read"):
        contact_sheet(tmp_path / "none.parquet", tmp_path / "sheet.jpg")


# The command.


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tuningfork.cli import main; main()", "simulate", *arguments],
        capture_output=True,
        text=True,
    )


def test_the_command_simulates(tmp_path: Path) -> None:
    result = command(
        str(tmp_path / "out"), "--n", "30", "--size", "48", "--fits", "--contact-sheet", str(tmp_path / "sheet.png")
    )
    assert result.returncode == 0, result.stderr
    assert "catalog.parquet" in result.stdout
    assert len(pd.read_parquet(tmp_path / "out" / "catalog.parquet")) == 30
    assert len(list((tmp_path / "out" / "fits").iterdir())) == 30
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.mark.skipif(os.name == "nt", reason="signals to a group of processes are those of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_workers_end_with_the_command(sent: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import signal, sys; from tuningfork.cli import main; sys.argv[0] = 'tuningfork'; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()"  # a shell's background has it ignored
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "simulate", str(out), "--n", "5000", "--size", "48"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as job:
        patience = time.monotonic() + 120
        while not list(out.glob("images/*.jpg")):
            assert job.poll() is None and time.monotonic() < patience, "no image was drawn"
            time.sleep(0.05)
        if sent is signal.SIGKILL:
            job.kill()
        else:
            os.killpg(job.pid, sent)  # as Ctrl-C reaches the workers, too
        # The workers hold the other end of this pipe: it ends when the last of them has.
        said = job.communicate(timeout=60)[1].decode()
    assert "Traceback" not in said
    if sent is signal.SIGINT:
        assert said.splitlines()[-1].startswith("interrupted; run the same command again")
    assert not (out / "catalog.parquet").exists()


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, no folder")
    for arguments in ([str(tmp_path / "out"), "--n", "0"], [str(tmp_path / "file" / "out"), "--n", "2"]):
        result = command(*arguments)
        assert result.returncode == 2
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
