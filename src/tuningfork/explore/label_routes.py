"""The routes of labelling, learning and taking away: what is asked for is checked, and what is known is given."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import numpy as np
import tomli_w
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tuningfork.errors import CatalogError, SchemaError
from tuningfork.explore.anomalies import Anomalies
from tuningfork.explore.answering import Json, Said, asked, body
from tuningfork.explore.filters import AskedWrongError, filter_of, text, whole
from tuningfork.explore.labelling import Labelling
from tuningfork.explore.learner import Fit, Learner
from tuningfork.explore.samp import Samp
from tuningfork.explore.state import ExploreState
from tuningfork.explore.takeaway import MEDIA, Selection, write_selection
from tuningfork.explore.trained import Origin, folder_name, make_model
from tuningfork.files import write_text
from tuningfork.schemas import ClassSchema, GalaxyClass, load_schema, schema_to_dict
from tuningfork.schemas.schema import identifier

MOST_NEXT = 500
MOST_CLASSES, LONGEST_CLASS = 50, 80
MOST_ENTRIES = 10_000
MOST_EVENTS = 10**9


@dataclass(frozen=True)
class Bench:
    """What the routes share: the labels, what is learned of them, unusual galaxies, and the way to other programs."""

    state: ExploreState
    labelling: Labelling
    learner: Learner
    anomalies: Anomalies
    samp: Samp

    @staticmethod
    def of(state: ExploreState) -> Bench:
        """All of it, of what is explored."""
        labelling = Labelling(state)
        learner = Learner(labelling)
        return Bench(state, labelling, learner, Anomalies(learner), Samp())

    def selection(self, said: Said) -> Selection:
        """The rows that a filter keeps; with ``"labelled": true`` those alone that have a label."""
        rows, schema = (
            self.state.catalogue.rows_where(filter_of(said.get("filter"))),
            self.labelling.schema(_name(said)),
        )
        if said.get("labelled") is True:
            rows = np.intersect1d(rows, self.labelling.labelled_rows(schema))
        return Selection(self.state.catalogue, rows, self.labelling, self.state.pictures, schema)


def routes(state: ExploreState) -> list[Route]:
    """The routes of labelling, learning and taking away.

    Raises
    ------
    TuningforkError
        If the journal can't be read, or the schema to label by is no list of classes.
    """
    bench = Bench.of(state)
    got = {"/api/labels/setup": _setup, "/api/labels": _entries, "/api/learn": _last}
    posted = {
        "/api/labels/setup": _ask,
        "/api/labels/next": _next,
        "/api/labels": _label,
        "/api/labels/undo": _undo,
        "/api/learn": _learn,
        "/api/train": _train,
        "/api/anomaly": _vote,
        "/api/take": _take,
        "/api/samp": _send,
    }
    return [
        *(Route(path, _get(bench, answer), methods=["GET"]) for path, answer in got.items()),
        *(Route(path, _post(bench, answer), methods=["POST"]) for path, answer in posted.items()),
    ]


def _get(bench: Bench, answer: Callable[[Bench, Request], Response]) -> Any:
    def endpoint(request: Request) -> Response:
        bench.state.catalogue.table.check()
        return answer(bench, request)

    return endpoint


def _post(bench: Bench, answer: Callable[[Bench, Said], Response]) -> Any:
    """A route whose work is done in a thread, so that nothing else waits for it."""

    async def endpoint(request: Request) -> Response:
        said = asked(await body(request))

        def work() -> Response:
            bench.state.catalogue.table.check()
            return answer(bench, said)

        return await anyio.to_thread.run_sync(work)

    return endpoint


def _name(said: Said) -> str | None:
    """The name of the schema that the tab asks by; None: it says none."""
    return None if said.get("schema") is None else text(said, "schema")


def _setup(bench: Bench, request: Request) -> Response:
    """By the schema that is asked for; by the default one where it is not known, or none is asked for."""
    labelling = bench.labelling
    schema = labelling.schema(request.query_params.get("schema")) or labelling.schema()
    events = list(labelling.labels.labelled(schema.name)) if schema else []
    answers = schema.classes if schema else ()
    bench.learner.prepare()
    bench.anomalies.prepare()
    return Json(
        {
            "schema": schema.name if schema else None,
            "question": schema.title if schema else None,
            "schemas": list(
                dict.fromkeys([*([labelling.asked.name] if labelling.asked else []), *labelling.labels.schemas])
            ),
            "refused": labelling.refused,
            "answers": [
                {"key": str(number) if number < 10 else "", "name": entry.name, "title": entry.label}
                for number, entry in enumerate(answers, start=1)
            ],
            "user": labelling.journal.user,
            "journal": labelling.journal.path.name,
            "counts": {
                "labels": len(events),
                "validation": sum(labelling.labels.judges(event) for event in events),
                "by_answer": {entry.name: sum(event.answer == entry.name for event in events) for entry in answers},
            },
            "orders": bench.learner.orders(schema),
        }
    )


def _ask(bench: Bench, said: Said) -> Response:
    """A list of classes of one's own, in the journal and as a schema beside it."""
    schema = made_schema(text(said, "name"), said.get("classes"))
    folder = bench.labelling.journal.path.parent
    path = folder / f"{schema.name}.toml"
    if path.exists():
        known = load_schema(path)
        if not isinstance(known, ClassSchema) or not set(known.class_names) <= set(schema.class_names):
            raise AskedWrongError(f"{path.name} is a schema already, with other classes; choose another name")
        new = tuple(each for each in schema.classes if each.name not in known.class_names)
        schema = replace(known, classes=known.classes + new)  # whose title and sources may be somebody's own
        if not new:
            bench.labelling.journal.define(schema)
            return Json({"schema": schema.name, "file": path.name})
    bench.labelling.journal.define(schema)
    write_text(path, tomli_w.dumps(schema_to_dict(schema)))
    return Json({"schema": schema.name, "file": path.name})


def made_schema(name: str, classes: Any) -> ClassSchema:
    """A schema of a name and the labels of its classes, as they are written.

    Raises
    ------
    AskedWrongError
        If the name could not be that of a file and a column, or the labels are no list of two or more.
    """
    plain = "-".join(name.split()).lower()
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", plain):
        raise AskedWrongError("the name has letters of a to z, digits and -, and begins with a letter")
    if not isinstance(classes, list) or not 2 <= len(classes) <= MOST_CLASSES:
        raise AskedWrongError(f"classes is a list of 2 to {MOST_CLASSES} names")
    for each in classes:
        if not isinstance(each, str) or not each.strip() or len(each) > LONGEST_CLASS or not each.isprintable():
            raise AskedWrongError(f"a class has a name of 1 to {LONGEST_CLASS} letters")
    entries = tuple(GalaxyClass("-".join(each.split()), " ".join(each.split())) for each in classes)
    try:
        return ClassSchema(plain, f"{name.strip()}, as labelled", (), label_column=identifier(plain), classes=entries)
    except SchemaError as error:
        raise AskedWrongError(str(error)) from error


def _next(bench: Bench, said: Said) -> Response:
    chosen, n = filter_of(said.get("filter")), whole(said, "n", 20, MOST_NEXT, 1)
    found = bench.learner.next(bench.labelling.schema(_name(said)), text(said, "order"), chosen, n)
    ids = bench.state.catalogue.ids(np.array([row for row, _ in found], np.int64))
    listed = [{"row": row, "id": name, "validation": aside} for (row, aside), name in zip(found, ids, strict=True)]
    return Json({"rows": listed})


def _label(bench: Bench, said: Said) -> Response:
    """A label of the galaxy that the page showed, by the schema that it asked by: both are said with it."""
    labelling, queue = bench.labelling, said.get("queue")
    schema = labelling.required(text(said, "schema"))
    row = whole(said, "row", -1, bench.state.catalogue.rows - 1)
    labelling.check(row, text(said, "id"))
    answer = None if said.get("answer") is None else text(said, "answer")
    if queue not in (None, "queue", "filtered"):
        raise AskedWrongError("queue is how the galaxy came to be looked at: queue, filtered or null")
    event = labelling.label(schema, row, answer, queue)
    return Json({"n": event.n, "validation": labelling.labels.judges(event)})


def _undo(bench: Bench, said: Said) -> Response:
    """Take back the label of this number; asked again, it stays taken back."""
    undone = bench.labelling.journal.undo(whole(said, "n", 0, MOST_EVENTS, 1), text(said, "schema"))
    return Json({"row": bench.labelling.rows_of([undone.id])[0], "id": undone.id})


def _entries(bench: Bench, request: Request) -> Response:
    """What happened since an event: of each galaxy that it was about, the answer that counts now."""
    since = request.query_params.get("since", "0")
    if not (since.isascii() and since.isdigit() and len(since) < 10):
        raise AskedWrongError("since is the number of an event")
    labels = bench.labelling.labels
    events = [e for e in labels.events[int(since) :][:MOST_ENTRIES] if e.kind in ("label", "skip", "undo")]
    about = [labels.event(event.undoes or 0) if event.kind == "undo" else event for event in events]
    rows = bench.labelling.rows_of(each.id for each in about)
    listed = []
    for event, each, row in zip(events, about, rows, strict=True):
        counts = labels.counts(each.schema_, each.id)
        said = {"n": event.n, "row": row, "answer": counts.answer if counts else None, "user": event.user}
        listed.append(said | {"time": event.time, "schema": each.schema_})
    last = min(labels.last, int(since) + MOST_ENTRIES)
    return Json({"entries": [each for each in listed if each["row"] is not None], "last": last})


def _learn(bench: Bench, said: Said) -> Response:
    return Json(_described(bench.learner.learn(bench.labelling.required(_name(said)))))


def _last(bench: Bench, request: Request) -> Response:
    schema = bench.labelling.schema(request.query_params.get("schema"))
    fit = bench.learner.fits.get(schema.name) if schema else None
    return Json(None if fit is None else _described(fit))


def _described(fit: Fit) -> dict[str, Any]:
    learned, judged = fit.learned, fit.learned.validation
    validation = judged and {
        **{"n": judged.n, "accuracy": judged.accuracy, "low": judged.low, "high": judged.high},
        "filtered": fit.filtered,
        "classes": {name: dict(counts) for name, counts in judged.classes.items()},
    }
    return {
        "n": learned.n,
        "classes": dict(learned.counts),
        "validation": validation,
        "seconds": round(learned.seconds, 3),
        "column": fit.columns[0],
        "columns": list(fit.columns),
    }


def _train(bench: Bench, said: Said) -> Response:
    """A model folder beside the journal, of what the labels teach now."""
    journal, schema = bench.labelling.journal, bench.labelling.required(_name(said))
    out = journal.path.parent / folder_name(text(said, "out"))
    if out.exists():
        raise CatalogError(f"{out.name} exists; choose another name")
    fit, embedding = bench.learner.learn(schema), bench.state.embedding
    assert embedding is not None  # else nothing could be learned
    model = bench.state.model.name if bench.state.model else None
    make_model(Origin(schema, journal.path, embedding, fit), out, model)
    command = f"tuningfork predict IMAGES {out.name}.parquet --model {shlex.quote(str(out))}"
    return Json({"model": out.name, "command": command})


def _vote(bench: Bench, said: Said) -> Response:
    if not isinstance(said.get("up"), bool):
        raise AskedWrongError("up is true or false")
    row = whole(said, "row", -1, bench.state.catalogue.rows - 1)
    return Json({"n": bench.anomalies.vote(row, up=said["up"])})


def _take(bench: Bench, said: Said) -> Response:
    kind = text(said, "format")
    folder = tempfile.TemporaryDirectory(prefix="tuningfork-take-")
    try:
        path = write_selection(bench.selection(said), kind, Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(path, media_type=MEDIA[kind], filename=path.name, background=BackgroundTask(folder.cleanup))


def _send(bench: Bench, said: Said) -> Response:
    return Json({"clients": bench.samp.send(bench.selection(said))})
