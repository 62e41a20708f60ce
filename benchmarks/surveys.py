"""The same galaxies in the forms that surveys and people give them: `python benchmarks/surveys.py`.

Galaxies of the val split are written in each form, and the bundled model predicts for them. Of a form that can be known
from the file or the options the RMSE must be that of the JPEG; of any other every galaxy must be noted, flagged or
refused.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import logging
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.io import fits
from PIL import Image

from tuningfork.errors import ImageError
from tuningfork.images import Field, Reading, Survey, load_survey
from tuningfork.images.fits.stretching import GRZ_SCALES, OFFSET, SOFTENING, stretch
from tuningfork.inference import predict
from tuningfork.schemas import load_schema
from tuningfork.sources import ImageOptions

DATA = Path(__file__).parents[2] / "shared" / "data" / "galaxy-zoo-challenge"
SCALE = 0.262  # arcsec a pixel, that the frames are said to have
NEAR = 0.004  # how far the RMSE of a known form may be from that of the JPEG
COVERED = 0.99  # share of galaxies of any other form that must be noted, flagged or refused
MAKE = Callable[[np.ndarray, np.ndarray], bytes]  # from flux (3, H, W) in g, r, z and the picture (H, W, 3)


@dataclass(frozen=True)
class Form:
    """A way to write a galaxy, and what is said of it; `many` makes several files of one."""

    make: MAKE
    ending: str = ".fits"
    known: bool = True
    options: ImageOptions = field(default_factory=ImageOptions)
    pattern: str = ""  # of one file a band
    bands: str = ""


def flux_of(picture: np.ndarray) -> np.ndarray:
    """The flux (3, H, W) float32 in g, r, z, the bottom row first, that the stretch shows as this picture."""
    values = picture[::-1].astype(np.float64) / 255
    mean = values.mean(axis=2, keepdims=True)
    brightness = np.sinh(np.sqrt(SOFTENING) * mean) / SOFTENING
    scaled = values * brightness / np.maximum(mean, 1e-9)
    return ((scaled[:, :, ::-1] - OFFSET) / GRZ_SCALES).transpose(2, 0, 1).astype(np.float32)


def tan(shape: tuple[int, ...], scale: float = SCALE) -> dict[str, Any]:
    """A WCS."""
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": (shape[-1] + 1) / 2,
        "CRPIX2": (shape[-2] + 1) / 2, "CD1_1": -scale / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale / 3600,
    }  # fmt: skip


def unit(array: np.ndarray | None, kind: Any = fits.PrimaryHDU, name: str = "", **cards: Any) -> Any:
    """A FITS unit."""
    made = kind(array)
    if name:
        made.name = name
    made.header.update(cards)
    return made


def file(*units: Any) -> bytes:
    """A FITS file."""
    buffer = io.BytesIO()
    fits.HDUList(list(units)).writeto(buffer)
    return buffer.getvalue()


def cube(change: Callable[[np.ndarray], np.ndarray] = lambda f: f, wcs: float | None = SCALE, **cards: Any) -> MAKE:
    """A cube of planes, its flux changed, with header cards; None: without that card."""

    def make(flux: np.ndarray, _: np.ndarray) -> bytes:
        array = np.ascontiguousarray(change(flux))
        said = {"BANDS": "grz", "BUNIT": "nanomaggy"} | (tan(array.shape, wcs) if wcs else {}) | cards
        return file(unit(array, **{key: value for key, value in said.items() if value is not None}))

    return make


def times(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    """Flux in another unit."""
    return lambda flux: (flux * factor).astype(np.float32)


def image(kind: str, **how: Any) -> MAKE:
    """A picture file."""

    def make(_: np.ndarray, picture: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, kind, **how)
        return buffer.getvalue()

    return make


def changed(change: Callable[[np.ndarray], np.ndarray]) -> MAKE:
    """A PNG of the picture, 0 to 1, drawn otherwise."""

    def make(_: np.ndarray, picture: np.ndarray) -> bytes:
        drawn = np.clip(np.rint(255 * change(picture / 255)), 0, 255).astype(np.uint8)
        return image("PNG")(_, drawn)

    return make


def drawn(law: Callable[[np.ndarray], np.ndarray]) -> MAKE:
    """A PNG of the flux (H, W, 3), red first, by another law that gives 0 to 1."""

    def make(flux: np.ndarray, _: np.ndarray) -> bytes:
        values = law((flux.transpose(1, 2, 0) * GRZ_SCALES)[::-1, :, ::-1].astype(np.float64))
        return image("PNG")(flux, np.clip(np.rint(255 * values), 0, 255).astype(np.uint8))

    return make


def units(*order: int, names: tuple[str, ...] = (), key: str = "FILTER") -> MAKE:
    """One unit a band."""

    def make(flux: np.ndarray, _: np.ndarray) -> bytes:
        cards = {"BUNIT": "nanomaggy", **tan(flux.shape)}
        made = [unit(flux[i], fits.ImageHDU, **cards, **{key: names[i] if names else "grz"[i]}) for i in order]
        return file(unit(None), *made)

    return make


def science(name: str, companion: Callable[[np.ndarray], np.ndarray], spoil: bool = False) -> MAKE:
    """A SCI unit after a companion; `spoil` puts nonsense where the companion says that pixels are bad."""

    def make(flux: np.ndarray, _: np.ndarray) -> bytes:
        beside = companion(flux)
        if spoil:
            bad = beside > 0 if name in ("DQ", "MASK") else beside == 0
            flux = np.where(bad, np.float32(30), flux)
        cards = {"BANDS": "grz", "BUNIT": "nanomaggy", **tan(flux.shape)}
        return file(unit(None), unit(beside, fits.ImageHDU, name), unit(flux, fits.ImageHDU, "SCI", **cards))

    return make


def spots(flux: np.ndarray, value: int = 1) -> np.ndarray:
    """A map of bad pixels: 40 small spots."""
    rng = np.random.default_rng(int(abs(flux.sum()) * 1000) % 2**31)
    marked = np.zeros(flux.shape[1:], np.int16)
    for y, x in rng.integers(0, flux.shape[1] - 3, (40, 2)):
        marked[y : y + 3, x : x + 3] = value
    return marked


def compressed(kind: str) -> MAKE:
    """Planes compressed by tiles."""

    def make(flux: np.ndarray, _: np.ndarray) -> bytes:
        made = [
            fits.CompImageHDU(
                plane,
                fits.Header({"EXTNAME": band, "BUNIT": "nanomaggy", **tan(flux.shape)}),
                compression_type=kind,
                quantize_level=16,
            )
            for band, plane in zip("grz", flux, strict=True)
        ]
        return file(unit(None), *made)

    return make


def wide(flux: np.ndarray) -> np.ndarray:
    """The frame in the middle of one twice as wide."""
    pad = flux.shape[1] // 2
    return np.pad(flux, ((0, 0), (pad, pad), (pad, pad)), mode="reflect")


def coarse(flux: np.ndarray) -> np.ndarray:
    """Pixels twice as large, each with the flux of four."""
    _, height, width = flux.shape
    return flux.reshape(3, height // 2, 2, width // 2, 2).sum(axis=(2, 4))


def hollow(flux: np.ndarray) -> np.ndarray:
    """The core is zeros."""
    out, n = flux.copy(), flux.shape[1]
    out[:, int(0.42 * n) : int(0.58 * n), int(0.42 * n) : int(0.58 * n)] = 0
    return out


def at(index: Any, value: float) -> Callable[[np.ndarray], np.ndarray]:
    """The flux with a part replaced."""

    def change(flux: np.ndarray) -> np.ndarray:
        out = flux.copy()
        out[index] = value
        return out

    return change


def offset(flux: np.ndarray) -> np.ndarray:
    """The galaxy a fifth of the frame from the middle."""
    by = flux.shape[1] // 5
    return np.pad(flux, ((0, 0), (0, 0), (by, 0)), mode="edge")[:, :, : flux.shape[2]]


def zscale(values: np.ndarray) -> np.ndarray:
    """Linear from the first to the 98th percentile."""
    low, high = np.percentile(values, (1, 98))
    return (values - low) / (high - low)


def lupton(values: np.ndarray) -> np.ndarray:
    """Lupton et al. 2004 with Q 8 and stretch 0.2."""
    brightness = np.maximum(values.mean(axis=2, keepdims=True), 1e-9)
    return np.arcsinh(8 * brightness / 0.2) / 8 * values / brightness


def brighter(flux: np.ndarray, picture: np.ndarray) -> bytes:
    """Three times the flux in the usual stretch."""
    drawn_again = stretch(3 * flux.transpose(1, 2, 0)[::-1])
    return image("PNG")(flux, np.rint(drawn_again).astype(np.uint8))


def stated(fraction: str = "1", **said: Any) -> ImageOptions:
    """Options of the command."""
    return ImageOptions(reading=Reading(stated=Survey(**said), field=Field.parse(fraction)))


POINT = 10 ** (0.4 * (-2.5 * np.log10(7.9e-20) - 5 * np.log10(5921.1) - 2.408 - 22.5))  # counts/s of a nanomaggy
AREA = SCALE**2
STERADIANS = AREA / 206264.806247**2
RIY = np.array([6.0 / 3.4, 3.4 / 3.0, 2.2 / 2.0], np.float32)[:, None, None]  # as bright in r, i, y as in g, r, z

FORMS: dict[str, Form] = {
    "nanomaggy": Form(cube()),
    "nJy": Form(cube(times(3631), BUNIT="nJy")),
    "uJy": Form(cube(times(3.631), BUNIT="uJy")),
    "Jy": Form(cube(times(3.631e-6), BUNIT="Jy")),
    "MJy/sr": Form(cube(times(3.631e-12 / STERADIANS), BUNIT="MJy/sr")),
    "nanomaggy/arcsec**2": Form(cube(times(1 / AREA), BUNIT="nanomaggy/arcsec**2")),
    "MAGZERO 30": Form(cube(times(1000), BUNIT="ADU", MAGZERO=30.0)),
    "MAGZERO 30, EXPTIME": Form(cube(times(1000), BUNIT="ADU", MAGZERO=30.0, EXPTIME=900.0)),
    "PHOTZP 30": Form(cube(times(1000), BUNIT=None, PHOTZP=30.0)),
    "ZEROPNT 25": Form(cube(times(10), BUNIT="counts", ZEROPNT=25.0)),
    "MAGZPT 25, counts in 54 s": Form(cube(times(540), BUNIT="DN", MAGZPT=25.0, EXPTIME=54.0)),
    "FLUXMAG0": Form(cube(times(63.0957344), BUNIT=None, FLUXMAG0=63095734448.0194)),
    "PHOTFLAM, electrons/s": Form(cube(times(POINT), BUNIT="ELECTRONS/S", PHOTFLAM=7.9e-20, PHOTPLAM=5921.1)),
    "PHOTFLAM, electrons in 500 s": Form(
        cube(times(500 * POINT), BUNIT="ELECTRONS", PHOTFLAM=7.9e-20, PHOTPLAM=5921.1, EXPTIME=500.0)
    ),
    "PHOTFNU": Form(cube(times(36.31), BUNIT="COUNTS/S", PHOTFNU=1e-7)),
    "SOFTBIAS, 16-bit": Form(
        cube(lambda f: np.rint(f * 3000 + 1000).clip(-32768, 32767).astype(np.int16), BUNIT="DN", SOFTBIAS=1000,
             MAGZERO=22.5 + 2.5 * np.log10(3000))
    ),
    "asinh of Pan-STARRS": Form(
        cube(lambda f: (1.0857362 * np.arcsinh(f.astype(np.float64) * 1000 / 200)).astype(np.float32), BUNIT=None,
             BSOFTEN=100.0, BOFFSET=0.0, EXPTIME=100.0, **{"HIERARCH FPA.ZP": 25.0})
    ),
    "--zero-point 0 (maggies)": Form(cube(times(1e-9), BUNIT=None), options=stated(zero_point=(0.0,))),
    "--zero-point, one a band": Form(
        cube(lambda f: (f * np.array([1000, 100, 10])[:, None, None]).astype(np.float32), BUNIT="ADU"),
        options=stated(zero_point=(30.0, 27.5, 25.0)),
    ),
    "--survey kids": Form(
        cube(times(1e-9), BUNIT=None), options=ImageOptions(reading=Reading(assumed=load_survey("kids")))
    ),
    "--pixel-scale": Form(cube(coarse, wcs=None), options=stated(pixel_scale=2 * SCALE)),
    "pixels of 0.524 arcsec": Form(cube(coarse, wcs=2 * SCALE)),
    "--bands": Form(cube(lambda f: f[::-1], BANDS=None), options=stated(bands=("z", "r", "g"))),
    "zrg": Form(cube(lambda f: f[::-1], BANDS="zrg")),
    "griz": Form(cube(lambda f: f[[0, 1, 1, 2]], BANDS="griz")),
    "ugriz": Form(cube(lambda f: f[[0, 0, 1, 1, 2]], BANDS="ugriz")),
    "riy": Form(cube(lambda f: f * RIY, BANDS="riy")),
    "a unit a band, FILTER": Form(units(2, 0, 1)),
    "a unit a band, EXTNAME": Form(units(0, 2, 1, names=("HSC-G", "HSC-R", "HSC-Z"), key="EXTNAME")),
    "a file a band": Form(cube(), pattern="{id}_{band}.fits", bands="grz"),
    "ERR before SCI": Form(science("ERR", lambda f: np.abs(f[0]) + 0.1)),
    "PSF before SCI": Form(science("PSF", lambda f: np.ones((31, 31), np.float32))),
    "DQ marks nonsense": Form(science("DQ", spots, spoil=True)),
    "INVVAR 0 at nonsense": Form(science("INVVAR", lambda f: (1 - spots(f)).astype(np.float32), spoil=True)),
    "NaN in spots": Form(cube(lambda f: np.where(spots(f) > 0, np.float32(np.nan), f))),
    "RICE": Form(compressed("RICE_1"), ".fits.fz"),
    "GZIP tiles": Form(compressed("GZIP_1"), ".fits"),
    ".fits.gz": Form(lambda f, p: gzip.compress(cube()(f, p), 1), ".fits.gz"),
    ".fits.bz2": Form(lambda f, p: bz2.compress(cube()(f, p), 1), ".fits.bz2"),
    "float64, four axes": Form(cube(lambda f: f.astype(np.float64)[None])),
    "twice as wide, --field 0.5": Form(cube(wide), options=stated("0.5")),
    "twice as wide, --field in arcsec": Form(cube(wide), options=stated(f"{SCALE * 212}arcsec")),
    "FITS picture (H, W, 3)": Form(lambda f, p: file(unit(np.ascontiguousarray(p[::-1])))),
    "FITS picture (3, H, W)": Form(lambda f, p: file(unit(np.ascontiguousarray(p[::-1].transpose(2, 0, 1))))),
    "PNG": Form(image("PNG"), ".png"),
    "WebP": Form(image("WEBP", lossless=True), ".webp"),
    "JPEG 2000": Form(image("JPEG2000"), ".jp2"),
    "TIFF": Form(image("TIFF"), ".tif"),
    "nothing stated": Form(cube(BUNIT=None, BANDS=None, wcs=None), known=False),
    "counts, nothing stated": Form(cube(times(200), BUNIT=None, wcs=None), known=False),
    "counts on a pedestal": Form(cube(lambda f: f * 200 + 1000, BUNIT=None, wcs=None), known=False),
    "maggies, nothing stated": Form(cube(times(1e-9), BUNIT=None, wcs=None), known=False),
    "BUNIT ADU, no zero point": Form(cube(times(20), BUNIT="ADU"), known=False),
    "the wrong unit": Form(cube(times(4), BUNIT="Kelvin"), known=False),
    "a plane of zeros": Form(cube(at(2, 0.0)), known=False),
    "the core is zeros": Form(cube(hollow), known=False),
    "half is zeros": Form(cube(at((slice(None), slice(0, 106)), 0.0)), known=False),
    "a third is NaN": Form(cube(at((0, slice(0, 80)), np.nan)), known=False),
    "r alone": Form(lambda f, p: file(unit(f[1], FILTER="r", BUNIT="nanomaggy", **tan(f.shape))), known=False),
    "off centre by a fifth": Form(cube(offset), known=False),
    "twice as wide, not said": Form(cube(wide), known=False),
    "grey PNG": Form(lambda f, p: image("PNG")(f, p.mean(axis=2).astype(np.uint8)), ".png", known=False),
    "blue first": Form(changed(lambda p: p[:, :, ::-1]), ".png", known=False),
    "negative": Form(changed(lambda p: 1 - p), ".png", known=False),
    "linear": Form(drawn(lambda f: f / 3), ".png", known=False),
    "square root": Form(drawn(lambda f: np.sqrt(np.maximum(f, 0) / 3)), ".png", known=False),
    "logarithm": Form(drawn(lambda f: np.log10(1 + 1000 * np.maximum(f, 0) / 3) / 3), ".png", known=False),
    "zscale": Form(drawn(zscale), ".png", known=False),
    "Lupton, Q 8, stretch 0.2": Form(drawn(lupton), ".png", known=False),
    "three times the flux": Form(brighter, ".png", known=False),
}  # fmt: skip


def main() -> int:
    """Print a Markdown table; 1 where a form misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=80, help="galaxies")
    parser.add_argument("--only", default="", help="forms whose name this pattern is found in")
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the shared galaxies are not at {DATA}; nothing to measure", file=sys.stderr)
        return 2
    logging.getLogger("tuningfork").setLevel(logging.ERROR)
    galaxies = val_galaxies(options.n)
    started, missed = time.perf_counter(), []
    jpeg = measure("JPEG", Form(lambda f, p: b"", ".jpg"), galaxies, options.model)
    print(f"\n{options.n} galaxies of val, true mix, seed 0; JPEG: RMSE {jpeg.rmse:.4f}, flagged {jpeg.flagged:.0%}\n")
    print("| form | RMSE | noted | flagged | refused | any |  |\n| --- | --- | --- | --- | --- | --- | --- |")
    for name, form in FORMS.items():
        if not re.search(options.only, name):
            continue
        seen = measure(name, form, galaxies, options.model)
        near = abs(seen.rmse - jpeg.rmse) <= NEAR and seen.refused == 0
        good = near if form.known else seen.any >= COVERED
        missed += [] if good else [name]
        kind = "known" if form.known else "not known"
        print(
            f"| {name} | {seen.rmse:.4f} | {seen.noted:.0%} | {seen.flagged:.0%} | {seen.refused:.0%} | {seen.any:.0%} "
            f"| {kind}{'' if good else ': **missed**'} |",
            flush=True,
        )
    print(f"\n{len(missed)} missed: {', '.join(missed) or 'none'}; {time.perf_counter() - started:.0f} s")
    return 1 if missed else 0


def val_galaxies(n: int) -> pd.DataFrame:
    """Galaxies of val with all fractions and the true mix: `id_str`, `jpeg` bytes and the labels."""
    table = pd.concat([pd.read_parquet(shard) for shard in sorted(DATA.glob("val-*.parquet"))])
    table = table[(table["block"] != "partial") & table["Class11.6"].notna()]
    table = table.sample(n=n, random_state=0).reset_index(drop=True)
    return table.assign(jpeg=[struct["bytes"] for struct in table["image"]]).drop(columns="image")


@dataclass(frozen=True)
class Result:
    """RMSE of the galaxies that were answered, and shares of all."""

    rmse: float
    noted: float
    flagged: float
    refused: float
    any: float


def measure(name: str, form: Form, galaxies: pd.DataFrame, model: str) -> Result:
    """Write the galaxies in a form, predict, compare."""
    columns = list(load_schema("gz-challenge").columns)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        folder.mkdir()
        for identity, data in zip(galaxies["id_str"], galaxies["jpeg"], strict=True):
            write(folder, identity, data, form)
        source = str(folder / form.pattern.replace("{id}", "*")) if form.pattern else folder
        options = form.options
        if form.pattern:
            options = stated(bands=tuple(form.bands))
        out = Path(place) / "out.parquet"
        with suppress(ImageError):  # none could be read: the table says why
            predict(source, out, model=model, engine="torch", options=options, columns="schema")
        found = pd.read_parquet(out)
    found["id_str"] = found["id_str"].str.removesuffix("_")
    found = galaxies[["id_str"]].merge(found, on="id_str", how="left", validate="one_to_one")
    read = found["error"].isna() & found[columns[0]].notna()
    wrong = found.loc[read, columns].to_numpy() - galaxies.loc[read, columns].to_numpy(dtype=np.float64)
    noted, flagged = found["note"].notna(), found["ood"].fillna(False).astype(bool)
    return Result(
        float(np.sqrt((wrong**2).mean())) if read.any() else float("nan"),
        float(noted.mean()),
        float(flagged.mean()),
        float((~read).mean()),
        float((noted | flagged | ~read).mean()),
    )


def write(folder: Path, identity: str, data: bytes, form: Form) -> None:
    """One galaxy."""
    picture = np.asarray(Image.open(io.BytesIO(data)))
    if form.ending == ".jpg":
        (folder / f"{identity}.jpg").write_bytes(data)
        return
    flux = flux_of(picture)
    if not form.pattern:
        (folder / f"{identity}{form.ending}").write_bytes(form.make(flux, picture))
        return
    for band, plane in zip(form.bands, flux, strict=True):
        content = file(unit(plane, BUNIT="nanomaggy", **tan(flux.shape)))
        (folder / form.pattern.format(id=identity, band=band)).write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
