"""A selection sent to other programs of this machine by SAMP: TOPCAT, Aladin, DS9.

The Simple Application Messaging Protocol (Taylor, Boch & Taylor 2015, Astronomy and Computing 11, 81) goes through a
hub, which such programs start. The table is a VOTable in a file that stays until the explorer ends.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from tuningfork.errors import TuningforkError, one_line
from tuningfork.explore.takeaway import Selection, write_selection
from tuningfork.extras import require

MESSAGE = "table.load.votable"


class Samp:
    """What sends tables to the programs that are connected to this machine's hub."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @cached_property
    def _folder(self) -> Path:
        """Where the tables lie, until this ends."""
        folder = tempfile.mkdtemp(prefix="tuningfork-samp-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def send(self, chosen: Selection) -> list[str]:
        """Send a selection to every program that loads tables; their names.

        Raises
        ------
        TuningforkError
            If the extra `explore` is not installed, no hub runs, or no program that loads tables is connected.
        """
        samp = require("pyvo.samp", "explore")
        with self._lock, samp.conf.set_temp("use_internet", False):
            client = samp.SAMPIntegratedClient("Tuningfork", "Galaxies of a catalogue", addr="127.0.0.1")
            try:
                client.connect()
            except (samp.SAMPHubError, OSError) as error:
                raise TuningforkError("no SAMP hub runs; start TOPCAT or Aladin, then send again") from error
            try:
                return self._sent(client, chosen)
            except (samp.SAMPHubError, samp.SAMPProxyError, OSError) as error:
                raise TuningforkError(f"the SAMP hub fails ({one_line(error)}); start it again") from error
            finally:
                with suppress(samp.SAMPHubError, samp.SAMPProxyError, OSError):
                    client.disconnect()

    def _sent(self, client: Any, chosen: Selection) -> list[str]:
        names = {
            other: client.get_metadata(other).get("samp.name", other)
            for other in client.get_subscribed_clients(MESSAGE)
        }
        if not names:
            raise TuningforkError(
                "a SAMP hub runs, but no program that loads tables is connected; start TOPCAT or Aladin"
            )
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        table = write_selection(chosen, "votable", folder)
        said = {"url": table.as_uri(), "table-id": f"{chosen.name}-{folder.name}", "name": chosen.name}
        for other in names:
            client.notify(other, {"samp.mtype": MESSAGE, "samp.params": said})
        return sorted(names.values())
