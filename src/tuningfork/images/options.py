"""What a user says of the images: which columns name them, where the tiles are, how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass

from tuningfork.images.reading import Reading


@dataclass(frozen=True)
class ImageOptions:
    """Beside the source itself.

    Parameters
    ----------
    id_column, file_column
        The columns of a catalogue that hold the ids and the names of the files, where they have no usual names.
    tiles
        A pattern of tile files from which the galaxies of a catalogue are cut out at their `ra` and `dec`; with
        ``{band}`` in it, one file a band.
    reading
        How the images are to be read.
    """

    id_column: str | None = None
    file_column: str | None = None
    tiles: str | None = None
    reading: Reading = Reading()
