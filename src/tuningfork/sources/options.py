"""What a user says of the images: which columns name them, where the tiles are, how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuningfork.images.field import Field
from tuningfork.images.reading import Reading
from tuningfork.images.survey import Survey


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

    def as_dict(self) -> dict[str, Any]:
        """For a manifest: what is said."""
        reading = self.reading
        said = {
            "id_column": self.id_column,
            "file_column": self.file_column,
            "tiles": self.tiles,
            "stated": reading.stated.as_dict(),
            "assumed": reading.assumed.as_dict(),
        }
        return {name: value for name, value in said.items() if value} | {"field": str(reading.field)}

    @staticmethod
    def from_dict(said: dict[str, Any]) -> ImageOptions:
        """From a manifest.

        Raises
        ------
        CatalogError
            If it says what this version does not know.
        """
        stated, assumed = (Survey.from_dict(said.get(name, {})) for name in ("stated", "assumed"))
        reading = Reading(stated, assumed, Field.parse(said.get("field", "1")))
        return ImageOptions(said.get("id_column"), said.get("file_column"), said.get("tiles"), reading)
