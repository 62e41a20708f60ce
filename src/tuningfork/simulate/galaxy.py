"""One simulated image from its seed and index alone: truth, light, exposure, votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from astropy.io import fits

from tuningfork.files import software_version
from tuningfork.schemas import TreeSchema, load_schema
from tuningfork.simulate.bodies import draw
from tuningfork.simulate.camera import add_neighbours, expose, sky_noise
from tuningfork.simulate.colour import BANDS, picture
from tuningfork.simulate.drawing import Drawing
from tuningfork.simulate.profiles import Array, Grid
from tuningfork.simulate.truth import CLASSES, FRAME_ARCSEC, Truth, draw_truth
from tuningfork.simulate.volunteers import opinions, panel_size, vote

CAMERA_PIXEL = FRAME_ARCSEC / 212
FEATURES = ("arms", "bar", "ring", "tails", "clumps", "edge-on", "bulge")
_ARCSEC = frozenset(
    (
        "half_light_radius",
        "bulge_radius",
        "disc_height",
        "bar_length",
        "ring_radius",
        "psf_fwhm",
        "offset_x",
        "offset_y",
    )
)
_DEGREES = frozenset(("position_angle", "inclination", "bar_angle", "pitch_angle", "winding"))


@dataclass(frozen=True)
class Simulated:
    """One image: its catalog row but for `file_loc`; g, r, i planes (3, H, W) in nanomaggies, bottom row first."""

    row: dict[str, Any]
    flux: Array
    grid: Grid

    def rgb(self) -> Array:
        """The colour picture, (H, W, 3) uint8, north up and east left."""
        return picture(self.flux, (self.grid.scale / CAMERA_PIXEL) ** 2)

    def fits(self) -> fits.PrimaryHDU:
        """The three planes with their celestial coordinates and the true parameters in the header."""
        hdu = fits.PrimaryHDU(self.flux.astype(">f4"))
        centre = (self.grid.size + 1) / 2
        step = self.grid.scale / 3600
        hdu.header.update(
            BUNIT="nanomaggy",
            BANDS="".join(BANDS),
            WCSAXES=2,
            CTYPE1="RA---TAN",
            CTYPE2="DEC--TAN",
            CUNIT1="deg",
            CUNIT2="deg",
            CRVAL1=self.row["ra"],
            CRVAL2=self.row["dec"],
            CRPIX1=centre,
            CRPIX2=centre,
            CDELT1=-step,
            CDELT2=step,
            RADESYS="ICRS",
            ORIGIN=f"tuningfork {software_version()}, simulated",
        )
        for number, band in enumerate(BANDS):
            hdu.header[f"BAND{number}"] = band
        for name in ("id_str", "sim_class", *truth_columns()):
            if self.row[name] == self.row[name]:  # a FITS header can't hold NaN
                hdu.header[f"HIERARCH {name.upper()}"] = self.row[name]
        return hdu


def simulate_one(seed: int, index: int, size: int, mix: Mapping[str, float]) -> Simulated:
    """Simulate image `index` of a seed. It depends on nothing else: not on how many there are, nor on who makes it."""
    sequence = np.random.SeedSequence(seed, spawn_key=(index,))
    truth_rng, light_rng, camera_rng, panel_rng = (np.random.default_rng(child) for child in sequence.spawn(4))
    weights = np.array([mix.get(name, 0.0) for name in CLASSES])
    truth = draw_truth(CLASSES[truth_rng.choice(len(CLASSES), p=weights / weights.sum())], truth_rng)

    drawing = Drawing(Grid(size, FRAME_ARCSEC / size))
    draw(truth, drawing, light_rng)
    # Volunteers see the same galaxy whatever the size it is stored at: the noise is a camera pixel's, per area.
    noise = float(sky_noise(Grid(212, CAMERA_PIXEL))[1]) * (drawing.grid.scale / CAMERA_PIXEL) ** 2
    visibility = {name: drawing.visibility(name, noise, truth.psf_fwhm) for name in FEATURES}
    add_neighbours(drawing, camera_rng)
    flux = expose(drawing.light, drawing.grid, truth.psf_fwhm, camera_rng)

    row: dict[str, Any] = {"id_str": f"sim-{seed}-{index:06d}"}
    row |= {"ra": truth_rng.uniform(120, 250), "dec": float(np.rad2deg(np.arcsin(truth_rng.uniform(0, 0.87))))}
    row |= dict(zip(("sim_class", *truth_columns()), asdict(truth).values(), strict=True))
    row["signal_to_noise"] = _signal_to_noise(truth, drawing.grid)
    row |= {f"{name.replace('-', '_')}_visibility": value for name, value in visibility.items()}
    row |= _votes(truth, visibility, panel_rng)
    return Simulated(row, flux, drawing.grid)


@cache
def truth_columns() -> tuple[str, ...]:
    """The catalog's columns of true parameters, each with its unit: `Truth`'s fields after the class."""
    return tuple(_with_unit(name) for name in list(Truth.__dataclass_fields__)[1:])


def _votes(truth: Truth, visibility: Mapping[str, float], rng: np.random.Generator) -> dict[str, Any]:
    schema = _schema()
    volunteers = panel_size(rng)
    counts = vote(opinions(truth, visibility), schema, volunteers, rng)
    votes: dict[str, Any] = {"n_volunteers": volunteers}
    votes |= {f"{column}_count": int(count) for column, count in zip(schema.columns, counts, strict=True)}
    votes |= {column: float(count / volunteers) for column, count in zip(schema.columns, counts, strict=True)}
    return votes


@cache
def _schema() -> TreeSchema:
    schema = load_schema("gz-challenge")
    assert isinstance(schema, TreeSchema)
    return schema


def _with_unit(name: str) -> str:
    return f"{name}_arcsec" if name in _ARCSEC else f"{name}_deg" if name in _DEGREES else name


def _signal_to_noise(truth: Truth, grid: Grid) -> float:
    """Half the r flux over the sky's noise inside the half-light circle, which is no smaller than the seeing's."""
    radius = max(truth.half_light_radius, truth.psf_fwhm / 2)
    pixels = np.pi * radius**2 / grid.scale**2
    return float(0.5 * truth.flux_r / (sky_noise(grid)[1] * np.sqrt(pixels)))
