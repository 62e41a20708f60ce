"""FITS cutouts: linear flux in one band or several, stretched for the eye.

The stretch is that of the Legacy Surveys sky viewer (`sdss_rgb` and `dr2_rgb` of github.com/legacysurvey/imagine),
after Lupton et al. 2004, PASP 116, 133 (arXiv:astro-ph/0312483): with I the mean of the scaled bands, each band is
multiplied by asinh(Q I) / (sqrt(Q) I), so that colour survives where brightness is compressed. Flux is in nanomaggies a
pixel; where the header says so and tells the pixel's size, it is brought to the flux of one of the viewer's pixels.
"""

from __future__ import annotations

import gzip
import io
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from scipy.ndimage import distance_transform_edt

from tuningfork.errors import ImageError
from tuningfork.images.frame import BandFiles, Frame
from tuningfork.images.reading import Reading

SCALES = {"g": 6.0, "r": 3.4, "i": 3.0, "z": 2.2}
GRZ_SCALES = np.array([SCALES[band] for band in "grz"], dtype=np.float32)  # they become blue, green, red
ONE_BAND_SCALE = SCALES["r"]
PIXEL = 0.262  # arcsec, of the viewer's images
UNITS = ("nanomaggy", "nanomaggies", "nmgy", "nanomaggy/pixel")
OFFSET = 0.03
SOFTENING = 20.0  # Q
FILLED = "bad pixels (NaN or infinite) filled from their neighbours"
UNCOVERED = "part of a band holds no data (zeros): colours there are wrong"


def read(data: bytes) -> tuple[np.ndarray, str | None]:
    """The first image of the file: (H, W, C) float32 of linear flux, the top row first as in a picture.

    Bad pixels get the value of the nearest good one of their band. Zeros are kept, but noted where there are many: sky
    noise is never exactly 0, so a survey that writes it has not looked there.

    Raises
    ------
    ImageError
        If the file is cut short, holds no 2-D image or (C, H, W) cube, or more than half of its pixels are bad.
    """
    data = _padded(_unzipped(data))
    with fits.open(io.BytesIO(data), memmap=False) as units:
        image = next((unit for unit in units if unit.is_image and unit.header.get("NAXIS", 0) >= 2), None)
        if image is None:
            raise ImageError("a FITS file without an image")
        planes = np.asarray(image.data, dtype=np.float32) * _pixel_area(image.header)
        header = image.header
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3:
        raise ImageError(f"a FITS image of {planes.ndim} axes; 2 (one band) or 3 (bands, height, width) are read")
    if header.get("BANDS") == "gri" and len(planes) == 3:
        planes[2] *= np.float32(SCALES["i"] / SCALES["z"])
    notes = []
    good = np.isfinite(planes)
    if not good.all():
        planes = _fill(planes, good)
        notes.append(FILLED)
    if (planes == 0).mean(axis=(1, 2)).max() > 0.01:
        notes.append(UNCOVERED)
    return planes[:, ::-1].transpose(1, 2, 0), "; ".join(notes) or None


def read_frame(data: bytes | BandFiles, reading: Reading) -> Frame:
    """As `read`, of what is known beside the file."""
    if isinstance(data, BandFiles):
        raise ImageError("one file a band is not read yet")
    values, note = read(data)
    return Frame(values, flux=True, notes=(note,) if note else ())


def stretch(flux: np.ndarray) -> np.ndarray:
    """Flux (H, W, C) to brightness 0 to 255. Three planes are taken as g, r, z and come out as red, green, blue.

    Of more planes or fewer each is stretched alone.
    """
    bands = flux.shape[2]
    if bands == 3:
        scaled = flux * GRZ_SCALES + np.float32(OFFSET)
        brightness = np.maximum(scaled, 0).mean(axis=2, keepdims=True)
        scaled = scaled[:, :, ::-1]
    else:
        scaled = flux * np.float32(ONE_BAND_SCALE) + np.float32(OFFSET)
        brightness = np.maximum(scaled, 0)
    compressed = np.arcsinh(SOFTENING * brightness) / np.sqrt(SOFTENING)
    out: np.ndarray = 255 * np.clip(scaled * compressed / np.maximum(brightness, 1e-6), 0, 1)
    return out


def _pixel_area(header: fits.Header) -> np.float32:
    """What a pixel's flux is multiplied by to be that of a viewer's pixel.

    It is 1 unless the header says in BUNIT that values are nanomaggies, which is of each pixel, and tells its scale.
    The viewer's own cutouts do not: they hold the flux of a pixel of its images whatever scale they are drawn at.
    """
    scaled = "CDELT1" in header or "CD1_1" in header
    if not (scaled and str(header.get("BUNIT", "")).strip().lower() in UNITS):
        return np.float32(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy mends what surveys write, and says so
        sky = WCS(header, naxis=2)
    if not sky.has_celestial:
        return np.float32(1)
    scale = float(np.sqrt(np.prod(proj_plane_pixel_scales(sky.celestial)))) * 3600
    return np.float32((PIXEL / scale) ** 2) if np.isfinite(scale) and scale > 0 else np.float32(1)


def _unzipped(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError) as error:
        raise ImageError(f"truncated or damaged gzip file ({error})") from error


def _padded(data: bytes) -> bytes:
    """Refuse a file that ends before its data does, which astropy only warns of; a last block cut short is harmless."""
    file, block = io.BytesIO(data), 2880
    while file.tell() < len(data):
        if file.tell() and not data[file.tell() :].strip(b"\0 "):
            break  # nothing but padding follows the last unit
        if len(data) - file.tell() < block:
            raise ImageError("truncated FITS: it ends within a header")
        try:
            header = fits.Header.fromfile(file)
        except (EOFError, OSError, ValueError) as error:
            raise ImageError(f"damaged FITS header ({error})") from error
        end = file.tell() + header.data_size
        if end > len(data):
            raise ImageError(f"truncated FITS: its header promises {end} bytes, the file has {len(data)}")
        file.seek(file.tell() + header.data_size_padded)
    return data + bytes(-len(data) % block)


def _fill(planes: np.ndarray, good: np.ndarray) -> np.ndarray:
    if good.mean() < 0.5:
        raise ImageError(f"{1 - good.mean():.0%} of its pixels are bad (NaN or infinite)")
    filled = np.empty_like(planes)
    for index, (plane, usable) in enumerate(zip(planes, good, strict=True)):
        if not usable.any():
            raise ImageError(f"band {index} has no good pixel")
        rows, columns = distance_transform_edt(~usable, return_distances=False, return_indices=True)
        filled[index] = plane[rows, columns]
    return filled
