"""FITS files: which unit is the galaxy's, which planes are which bands, what flux a value is, which pixels are bad."""

from tuningfork.images.fits.frame import Calibration, calibrated, calibration_of, read_frame
from tuningfork.images.fits.masks import combined, flagged
from tuningfork.images.fits.plane import Plane
from tuningfork.images.fits.stretching import stretch

__all__ = ["Calibration", "Plane", "calibrated", "calibration_of", "combined", "flagged", "read_frame", "stretch"]
