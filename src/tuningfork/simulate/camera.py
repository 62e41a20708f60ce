"""From light to what a camera records: neighbours on the sky, the atmosphere's blur, noise."""

from __future__ import annotations

import numpy as np
from scipy import fft

from tuningfork.simulate.colour import band_fluxes
from tuningfork.simulate.drawing import Drawing
from tuningfork.simulate.profiles import Array, Grid, Profile, integrate, sersic
from tuningfork.simulate.truth import FRAME_ARCSEC, Generator

# The SDSS imaging camera in g, r, i (Gunn et al. 1998, AJ 116, 3040; York et al. 2000, AJ 120, 1579): electrons a
# nanomaggy, the sky in mag / arcsec^2, read noise in electrons; and seeing relative to r.
_ELECTRONS = np.array([1050.0, 940.0, 650.0])
_SKY = np.array([21.9, 20.9, 20.2])
_READ_NOISE = np.array([5.0, 5.0, 5.0])
_SEEING = (1.08, 1.0, 0.95)
_CAMERA_PIXEL = 0.396
_MOFFAT_BETA = 3.0
_NEIGHBOURS = 7.0  # mean number in a frame
_FAINTEST, _BRIGHTEST = 22.0, 16.0


def sky_noise(grid: Grid) -> Array:
    """The sky's standard deviation in a pixel, (3,) nanomaggies in g, r, i: Poisson's and the read-out's together."""
    area = grid.scale**2
    sky = 10 ** (-0.4 * (_SKY - 22.5)) * area * _ELECTRONS
    read_noise = _READ_NOISE**2 * area / _CAMERA_PIXEL**2
    noise: Array = np.sqrt(sky + read_noise) / _ELECTRONS
    return noise


def expose(light: Array, grid: Grid, psf_fwhm: float, rng: Generator) -> Array:
    """What the camera records of `light`, (3, H, W) nanomaggies a pixel: blurred, with noise, the mean sky taken off.

    Counts are drawn as normal with Poisson's variance: every pixel holds hundreds of electrons of sky.
    """
    blurred = blur(light, grid, psf_fwhm)
    electrons = _ELECTRONS.astype(np.float32)[:, None, None]
    variance = (sky_noise(grid) ** 2).astype(np.float32)[:, None, None] + np.clip(blurred, 0, None) / electrons
    return blurred + np.sqrt(variance) * rng.standard_normal(light.shape, dtype=np.float32)


def blur(light: Array, grid: Grid, psf_fwhm: float) -> Array:
    """Blur each band with the point-spread function of Moffat 1969 (A&A 3, 455); what leaves the frame is lost."""
    reach = grid.size // 4
    length = fft.next_fast_len(grid.size + reach, real=True)
    offset = np.arange(length)
    offset = np.minimum(offset, length - offset) * grid.scale
    squared = offset[:, None] ** 2 + offset[None, :] ** 2
    blurred = np.empty_like(light)
    for band, ratio in enumerate(_SEEING):
        core = ratio * psf_fwhm / (2 * np.sqrt(2 ** (1 / _MOFFAT_BETA) - 1))
        psf = ((1 + squared / core**2) ** -_MOFFAT_BETA).astype(np.float32)
        psf[squared > (reach * grid.scale) ** 2] = 0
        psf /= psf.sum()
        spectrum = fft.rfft2(light[band], (length, length)) * fft.rfft2(psf)
        blurred[band] = fft.irfft2(spectrum, (length, length))[: grid.size, : grid.size]
    return blurred


def add_neighbours(drawing: Drawing, rng: Generator) -> None:
    """Strew other stars and galaxies over the frame, few of them on the galaxy.

    Numbers grow with magnitude as 10^(0.3 m), about as both do at these magnitudes and latitudes.
    """
    count = rng.poisson(_NEIGHBOURS)
    x, y = rng.uniform(-FRAME_ARCSEC / 2, FRAME_ARCSEC / 2, (2, count))
    keep = (np.hypot(x, y) > 0.2 * FRAME_ARCSEC) | (rng.random(count) < 0.12)
    share = rng.random(count)
    magnitude = np.log10(10 ** (0.3 * _BRIGHTEST) + share * (10 ** (0.3 * _FAINTEST) - 10 ** (0.3 * _BRIGHTEST))) / 0.3
    flux = 10 ** (-0.4 * (magnitude - 22.5))
    star = rng.random(count) < 0.5
    redness, radius, ratio = rng.normal(0.65, 0.45, count), rng.lognormal(0, 0.4, count), rng.uniform(0.3, 1, count)
    angle = rng.uniform(0, 180, count)
    for k in np.flatnonzero(keep):
        if star[k]:
            drawing.add_points(x[k : k + 1], y[k : k + 1], flux[k : k + 1], redness[k])
        else:
            body = sersic(flux[k], radius[k] * (25 - magnitude[k]) / 4, 1.5, ratio[k])
            _paste(drawing, body, (x[k], y[k]), angle[k], redness[k])


def _paste(drawing: Drawing, body: Profile, at: tuple[float, float], position_angle: float, redness: float) -> None:
    """Add a small galaxy through a patch of the frame 16 arcsec wide: a whole frame would cost far more."""
    (x, y), grid = at, drawing.grid
    patch = Grid(2 * round(8 / grid.scale) + 1, grid.scale)
    column, row = round(grid.pixel(x)), round(grid.pixel(y))
    middle = (grid.size - 1) / 2
    light = integrate(body, patch, x - (column - middle) * grid.scale, y - (row - middle) * grid.scale, position_angle)
    half = patch.size // 2
    left, right = max(column - half, 0), min(column + half + 1, grid.size)
    bottom, top = max(row - half, 0), min(row + half + 1, grid.size)
    seen = light[bottom - row + half : top - row + half, left - column + half : right - column + half]
    drawing.light[:, bottom:top, left:right] += seen * band_fluxes(redness)[:, None, None]
