"""Several figures under their names, as a notebook shows them."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from matplotlib.figure import Figure

from tuningfork.plotting.style import png


class Plots(dict[str, Figure]):
    """Matplotlib figures by name. A notebook shows them all, one below the other."""

    def __repr__(self) -> str:
        return f"Plots: {', '.join(self) or 'none'}"

    def _repr_html_(self) -> str:
        return "".join(map(_shown, self, self.values()))


def _shown(name: str, drawn: Figure) -> str:
    picture = b64encode(png(drawn)).decode()
    named = escape(name)
    return f'<figure><img src="data:image/png;base64,{picture}" alt="{named}"><figcaption>{named}</figcaption></figure>'
