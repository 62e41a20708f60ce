"""The routes of the explorer: what is asked for is checked, what is known is given, in JSON, bytes or a picture.

What takes long runs in threads, so that a picture need not wait for a filter.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
import numpy as np
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tuningfork.errors import CatalogError, ImageError, OutputError, TuningforkError, one_line
from tuningfork.explore.answering import Json, Said, asked, body
from tuningfork.explore.description import description
from tuningfork.explore.filters import AskedWrongError, filter_of, sort_of, text, whole
from tuningfork.explore.galaxy import galaxy
from tuningfork.explore.histograms import MOST_BINS, histogram
from tuningfork.explore.label_routes import routes as label_routes
from tuningfork.explore.pictures import LARGEST, SMALLEST, Look
from tuningfork.explore.security import Guard, Place, refusal
from tuningfork.explore.state import ExploreState

PAGE = Path(__file__).parent / "page"
MOST_ROWS = 500
MOST_COLUMNS = 400
MOST_SIMILAR = 200
BYTES = "application/octet-stream"


class _RowConvertor(IntegerConvertor):
    """The number of a row, of no more digits than a catalogue can have."""

    regex = "[0-9]{1,12}"


register_url_convertor("row", _RowConvertor())


def application(state: ExploreState, place: Place, token: str) -> ASGIApp:
    """The whole server, behind its guard."""
    routes = [
        Route("/api/catalogue", _get(state, lambda request: Json(description(state)))),
        Route("/api/rows", _post(state, _rows), methods=["POST"]),
        Route("/api/histogram", _post(state, _histogram), methods=["POST"]),
        Route("/api/points", _post(state, _points), methods=["POST"]),
        Route("/api/kept", _post(state, _kept), methods=["POST"]),
        Route("/api/select", _select(state), methods=["POST"]),
        Route("/image/{row:row}", _get(state, lambda request: _image(state, request))),
        Route("/api/galaxy/{row:row}", _get(state, lambda request: _galaxy(state, request))),
        Route("/api/similar/{row:row}", _get(state, lambda request: _similar(state, request))),
        Route("/api/gradcam/{row:row}", _get(state, lambda request: _gradcam(state, request))),
        *label_routes(state),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _failed})
    app.router.default = StaticFiles(directory=PAGE, html=True)
    for kind in (AskedWrongError, TuningforkError):
        app.add_exception_handler(kind, _said)
    return Guard(app, place, token)


def _get(state: ExploreState, answer: Callable[[Request], Response]) -> Any:
    """A route that is asked without a body; it runs in a thread."""

    def endpoint(request: Request) -> Response:
        state.catalogue.table.check()
        return answer(request)

    return endpoint


def _post(state: ExploreState, answer: Callable[[ExploreState, Said], Response]) -> Any:
    """A route that is asked with an object in JSON."""

    async def endpoint(request: Request) -> Response:
        said = asked(await body(request))

        def work() -> Response:
            state.catalogue.table.check()
            return answer(state, said)

        return await anyio.to_thread.run_sync(work)

    return endpoint


def _rows(state: ExploreState, said: Said) -> Response:
    catalogue = state.catalogue
    names = said.get("columns", [])
    if not isinstance(names, list) or len(names) > MOST_COLUMNS or not all(isinstance(name, str) for name in names):
        raise AskedWrongError(f"columns is a list of at most {MOST_COLUMNS} names")
    rows = catalogue.rows_in_order(filter_of(said.get("filter")), sort_of(said.get("sort")))
    start = whole(said, "offset", 0, 1 << 40)
    part = rows[start : start + whole(said, "limit", 100, MOST_ROWS)]
    cells = catalogue.cells(part, names)
    listed = [
        {"row": row, "id": identity, "values": values}
        for row, identity, values in zip(part.tolist(), catalogue.ids(part), cells, strict=True)
    ]
    return Json({"total": len(rows), "rows": listed})


def _histogram(state: ExploreState, said: Said) -> Response:
    bins = whole(said, "bins", 40, MOST_BINS, 1)
    return Json(histogram(state.catalogue, text(said, "column"), filter_of(said.get("filter")), bins))


def _points(state: ExploreState, said: Said) -> Response:
    catalogue = state.catalogue
    x, y = (catalogue.numbers(text(said, axis)).floats() for axis in ("x", "y"))
    parts = [x, y]
    if said.get("colour") is not None:
        name = text(said, "colour")
        try:
            parts.append(catalogue.values(name).floats())
        except CatalogError as error:
            raise AskedWrongError(f"{name!r} can't colour: {error}") from error
    else:
        parts.append(np.full(catalogue.rows, np.nan, np.float32))
    data = [struct.pack("<I", catalogue.rows), *(part.astype("<f4").tobytes() for part in parts)]
    return Response(b"".join(data), media_type=BYTES)


def _kept(state: ExploreState, said: Said) -> Response:
    kept = state.catalogue.mask(filter_of(said.get("filter")))
    return Response(np.packbits(kept, bitorder="little").tobytes(), media_type=BYTES)


def _select(state: ExploreState) -> Any:
    """Rows as JSON, or as numbers of four bytes, the lowest first: a million of them are 4 MB."""

    async def endpoint(request: Request) -> Response:
        data = await body(request)
        binary = request.headers["content-type"].startswith(BYTES)

        def work() -> Response:
            rows = _numbers(data) if binary else _listed(asked(data))
            return Json({"selection": state.catalogue.select(rows), "n": len(np.unique(rows))})

        return await anyio.to_thread.run_sync(work)

    return endpoint


def _numbers(data: bytes) -> np.ndarray:
    if len(data) % 4:
        raise AskedWrongError("rows are numbers of four bytes each")
    return np.frombuffer(data, "<u4").astype(np.int64)


def _listed(said: Said) -> np.ndarray:
    rows = said.get("rows")
    if not isinstance(rows, list) or not all(type(row) is int and 0 <= row < 1 << 32 for row in rows):
        raise AskedWrongError("rows is a list of numbers of rows")
    return np.array(rows, np.int64)


def _row(state: ExploreState, request: Request) -> int:
    row = int(request.path_params["row"])
    if row >= state.catalogue.rows:
        raise HTTPException(404, f"there is no row {row}; the catalogue has {state.catalogue.rows:,}")
    return row


def _image(state: ExploreState, request: Request) -> Response:
    row, query = _row(state, request), request.query_params
    if state.pictures is None:
        raise HTTPException(404, "the images of this catalogue are not found; name them with --images")
    look = Look(
        _whole(query.get("size"), "size", 96, SMALLEST, LARGEST),
        _view(query.get("view", "model")),
        _stretch(query.get("stretch")),
        None if query.get("band") is None else _whole(query.get("band"), "band", 0, 0, 1000),
    )
    try:
        picture = state.pictures.jpeg(row, look)
    except ImageError as error:
        raise HTTPException(404, one_line(error)) from error
    return Response(picture, media_type="image/jpeg")


def _whole(said: str | None, name: str, default: int, least: int, most: int) -> int:
    """A whole number of a query."""
    if said is None:
        return default
    if not (said.isascii() and said.isdigit() and len(said) < 10 and least <= int(said) <= most):
        raise AskedWrongError(f"{name} is a whole number from {least} to {most}")
    return int(said)


def _view(said: str) -> Literal["model", "frame"]:
    views: dict[str, Literal["model", "frame"]] = {"model": "model", "frame": "frame"}
    if said not in views:
        raise AskedWrongError("view is model or frame")
    return views[said]


def _stretch(said: str | None) -> float:
    try:
        value = float(said or 0)
    except ValueError:
        value = np.nan
    if not -1 <= value <= 1:
        raise AskedWrongError("stretch is a number from -1 to 1")
    return value


def _galaxy(state: ExploreState, request: Request) -> Response:
    return Json(galaxy(state.catalogue, state.pictures, _row(state, request)))


def _similar(state: ExploreState, request: Request) -> Response:
    row = _row(state, request)
    if state.embedding is None:
        raise HTTPException(404, "similar galaxies are found by their features; name them with --embedding")
    found = state.embedding.nearest(row, _whole(request.query_params.get("n"), "n", 12, 1, MOST_SIMILAR))
    ids = state.catalogue.ids(np.array([each for each, _ in found], np.int64))
    near = [{"row": each, "id": name, "distance": apart} for (each, apart), name in zip(found, ids, strict=True)]
    return Json({"rows": near})


def _gradcam(state: ExploreState, request: Request) -> Response:
    row = _row(state, request)
    if state.model is None or state.pictures is None:
        raise HTTPException(404, "Grad-CAM needs the images and the model; name them with --images and --model")
    picture = state.model.gradcam(state.pictures.images, row, request.query_params.get("answer", ""))
    return Response(picture, media_type="image/png")


def _said(request: Request, error: Exception) -> Response:
    """What the user can mend, in one line."""
    kinds = {
        CatalogError: 409,
        OutputError: 503,
    }  # what is there is another; what was sent is good, and may be sent again
    return refusal(next((code for kind, code in kinds.items() if isinstance(error, kind)), 400), one_line(error))


def _refused(request: Request, error: Any) -> Response:
    return refusal(error.status_code, one_line(Exception(error.detail)))


def _failed(request: Request, error: Exception) -> Response:
    """A fault of ours: the page says so, and the rest goes on."""
    return refusal(500, f"the server failed at this ({type(error).__name__}); its terminal says more")
