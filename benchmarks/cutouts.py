"""Galaxies cut out of tiles: how quick, beside astropy galaxy by galaxy and beside decompressing each tile once.

    python benchmarks/cutouts.py                                  10,000 galaxies, 20 tiles of 3 bands (0.9 GB)
    python benchmarks/cutouts.py --galaxies 500 --tiles 1         a quick look

The tiles are simulated: 4k x 4k, RICE-compressed row by row with a noise of 16 steps, as surveys publish them. Those
of other places on the sky are copies with another WCS. Galaxies are asked for in random order.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

from tuningfork.images import Field, Geometry, Reading, Survey, decode_stream
from tuningfork.sources import ImageOptions, decoding_threads, open_source

SIDE, SCALE, FIELD = 4096, 0.262, 30.0  # pixels; arcsec a pixel; arcsec
BANDS = ("g", "r", "i")


def main() -> None:
    """Make the tiles, time the three ways, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=10_000)
    parser.add_argument("--tiles", type=int, default=20)
    parser.add_argument("--sample", type=int, default=40, help="galaxies that astropy cuts out; the rest is reckoned")
    parser.add_argument("--cores", type=int, default=2)
    asked = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = make(folder, asked.tiles, asked.galaxies)
        files = sorted(folder.glob("*.fits.fz"))
        whole = seconds(lambda: [read_whole(path) for path in files])
        with ProcessPoolExecutor(asked.cores) as pool:
            whole_on_cores = seconds(lambda: list(pool.map(read_whole, files)))
        sample = catalog.iloc[: asked.sample]
        one_by_one = seconds(lambda: cut_one_by_one(folder, sample)) * asked.galaxies / len(sample)
        ours = seconds(lambda: cut(folder))
    print(f"{asked.galaxies} galaxies of {FIELD:g} arcsec from {asked.tiles} tiles of {len(BANDS)} bands\n")
    print("| | seconds | cutouts a second |\n| --- | --- | --- |")
    for label, took in (
        ("astropy: `Cutout2D` of `.section`, galaxy by galaxy", one_by_one),
        ("astropy: each tile decompressed once, one core", whole),
        (f"the same on {asked.cores} cores, by processes", whole_on_cores),
        ("tuningfork: frames cut out, calibrated, stretched and resampled", ours),
    ):
        print(f"| {label} | {took:.1f} | {asked.galaxies / took:.0f} |")
    print(f"\n{one_by_one / ours:.1f} times as quick as Cutout2D; beside decompressing each tile once:", end=" ")
    print(f"{whole / ours:.2f} of its speed on one core, {whole_on_cores / ours:.2f} on {asked.cores}")


def make(folder: Path, tiles: int, galaxies: int) -> pd.DataFrame:
    """Write the tiles and the catalogue."""
    rng = np.random.default_rng(0)
    centres = [(150 + 0.5 * index, 2.0) for index in range(tiles)]
    for band in BANDS:
        pixels = rng.normal(0, 0.01, (SIDE, SIDE)).astype(np.float32)
        first = folder / f"{0:03d}-{band}.fits.fz"
        header = wcs_of(*centres[0]).to_header()
        header["BUNIT"] = "nanomaggy"
        unit = fits.CompImageHDU(pixels, header=header, compression_type="RICE_1", quantize_method=2, quantize_level=16)
        unit.writeto(first)
        written = first.read_bytes()
        for index, (ra, _) in list(enumerate(centres))[1:]:
            before, after = (f"CRVAL1  = {value:20.1f}".encode() for value in (centres[0][0], ra))
            assert written.count(before) == 1
            (folder / f"{index:03d}-{band}.fits.fz").write_bytes(written.replace(before, after))
    rows = []
    for number in range(galaxies):
        tile = int(rng.integers(tiles))
        ra, dec = wcs_of(*centres[tile]).wcs_pix2world(*rng.uniform(60, SIDE - 61, 2), 0)
        rows.append((f"g{number}", float(ra), float(dec), tile))
    catalog = pd.DataFrame(rows, columns=["id_str", "ra", "dec", "tile"])
    catalog.to_csv(folder / "catalog.csv", index=False)
    return catalog


def wcs_of(ra: float, dec: float) -> WCS:
    """A tile's WCS."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, dec], [(SIDE + 1) / 2] * 2
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    return wcs


def read_whole(path: Path) -> float:
    """Decompress a tile."""
    with fits.open(path) as units:
        return float(units[1].data[0, 0])


def cut_one_by_one(folder: Path, galaxies: pd.DataFrame) -> None:
    """As one would with astropy: open the files of each galaxy, cut it out."""
    side = round(FIELD / SCALE)
    for galaxy in galaxies.itertuples():
        for band in BANDS:
            with fits.open(folder / f"{galaxy.tile:03d}-{band}.fits.fz") as units:
                place = SkyCoord(galaxy.ra, galaxy.dec, unit="deg")
                Cutout2D(units[1].section, place, side, wcs=WCS(units[1].header), mode="partial")


def cut(folder: Path) -> None:
    """As predict, pack and embed do, up to the pixels that a network looks at."""
    reading = Reading(Survey(bands=BANDS), field=Field(FIELD, arcsec=True))
    source = open_source(folder / "catalog.csv", ImageOptions(tiles=f"{folder}/*-{{band}}.fits.fz", reading=reading))
    rows = reading.rows(source.table)
    workers = decoding_threads(source)
    for image in decode_stream(source.items(), Geometry(0.75, 64), workers, reading, rows):
        assert image.pixels is not None, image.error


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
