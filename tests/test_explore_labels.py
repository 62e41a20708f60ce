"""Labels of the explorer: the journal that survives kills, the queue, what is learned, what is taken away."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tuningfork.catalogs import read_table
from tuningfork.catalogs.journal import Labels, read_labels
from tuningfork.cli.app import build
from tuningfork.embeddings import read_embedding
from tuningfork.errors import CatalogError, ModelError, OutputError, SchemaError, TuningforkError
from tuningfork.explore import queue
from tuningfork.explore.anomalies import interest
from tuningfork.explore.app import application
from tuningfork.explore.asked import Asked
from tuningfork.explore.journal import BORDER, Journal, hash_of
from tuningfork.explore.label_routes import made_schema
from tuningfork.explore.labelling import default_journal
from tuningfork.explore.learn import Examples, judge, learn, scale_of
from tuningfork.explore.security import Place
from tuningfork.explore.state import open_state
from tuningfork.inference import embed, predict
from tuningfork.manifests import LabelEvent
from tuningfork.models import load_model, read_manifest
from tuningfork.schemas import load_schema, schema_to_dict

RINGS = made_schema("rings", ["ring", "no ring"])
PAGE = Path(__file__).parents[1] / "docs" / "how-to-rings.md"


def command(*arguments: object) -> str:
    result = CliRunner().invoke(build(), [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def labelled(path: Path, schema: str = "rings") -> dict[str, str | None]:
    return {e.id: e.answer for e in read_labels(path.read_text(), path).labelled(schema)}


# --- the journal

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from tuningfork.explore.journal import Journal
from tuningfork.explore.label_routes import made_schema

path, times = Path(sys.argv[1]), int(sys.argv[2])
draw = random.Random(4)
for attempt in range(times):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        journal = Journal(path, "ann")
        journal.define(made_schema("rings", ["ring", "no ring"]))
        for number in range(100000):
            event = journal.label("rings", f"{attempt}-{number}" + "x" * 500, "ring", "queue")
            os.write(writing, f"{event.n} {event.id}\\n".encode())
    os.close(writing)
    time.sleep(draw.uniform(0.02, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answered:
        sys.stdout.write(answered.read())
"""

TOGETHER = """
import os, sys
from pathlib import Path
from tuningfork.explore.journal import Journal
from tuningfork.explore.label_routes import made_schema

path = Path(sys.argv[1])
children = []
for user in ("ann", "bob", "cyd"):
    child = os.fork()
    if child == 0:
        journal = Journal(path, user)
        journal.define(made_schema("rings", ["ring", "no ring"]))
        for number in range(24):
            event = journal.label("rings", f"{user}-{number}", "ring", "queue")
            if number % 8 == 7:
                journal.undo(event.n, "rings")
        os._exit(0)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""


def script(code: str, *arguments: object) -> str:
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kills_lose_no_label_that_was_answered_for(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    answered = dict(line.split() for line in script(KILLED, path, 15).splitlines() if len(line.split()) == 2)
    Journal(path, "bob").label("rings", "last", "no ring".replace(" ", "-"))
    labels = read_labels(path.read_text(), path)
    assert len(answered) > 15
    assert [event.n for event in labels.events] == list(range(1, labels.last + 1))
    assert all(labels.event(int(n)).id == identity for n, identity in answered.items())
    assert labelled(path)["last"] == "no-ring"


def test_processes_that_write_together_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    script(TOGETHER, path)
    labels = read_labels(path.read_text(), path)
    assert len([event for event in labels.events if event.kind == "label"]) == 72
    assert [event.n for event in labels.events] == list(range(1, labels.last + 1))
    # Each took back his own last label, whoever wrote in between.
    assert set(labelled(path)) == {f"{user}-{n}" for user in ("ann", "bob", "cyd") for n in range(24) if n % 8 != 7}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "labels.jsonl"
    journal = Journal(path, "ann")
    journal.define(RINGS)
    for number in range(3):
        journal.label("rings", f"g{number}", "ring", "queue")
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_torn_anywhere_is_mended(whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.mktemp("torn") / "labels.jsonl"
    ends = [place for place, byte in enumerate(whole) if byte == ord("\n")]  # all but its end is there of a line
    end = data.draw(st.integers(0, len(whole)) | st.sampled_from(ends))
    path.write_bytes(whole[:end])
    kept = len([place for place in ends if place <= end])
    assert not kept or read_labels(whole[:end].decode(), path).last == kept - 1
    journal = Journal(path, "ann")
    journal.define(RINGS)
    assert journal.refresh().last == max(kept - 1, 1)
    journal.label("rings", "new", "no-ring")
    assert labelled(path)["new"] == "no-ring"
    assert {name for name in labelled(path) if name != "new"} == {f"g{n}" for n in range(max(kept - 2, 0))}


def test_a_last_line_without_its_end_counts_at_once_and_everywhere(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(whole[:-1])
    assert len(Journal(path, "ann").counted("rings")[0]) == len(labelled(path)) == 3
    assert path.read_bytes() == whole


@pytest.mark.parametrize("rest", [b'{"n": 9}', b'{"n": 5, "kind": "label"}', b"{}"])
def test_a_last_line_that_is_no_event_is_named_and_left(whole: bytes, tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(whole + rest)
    with pytest.raises(CatalogError, match=r"labels.jsonl, line 6: .*"):
        Journal(path, "ann")
    assert path.read_bytes() == whole + rest


def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("what I saw")
    with pytest.raises(CatalogError, match=r"notes.txt is no journal"):
        Journal(path, "ann").define(RINGS)
    assert path.read_text() == "what I saw"


Step = tuple[str, str, str]
STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from(["ring", "no-ring", "skip", "undo"])),
    max_size=30,
)


def events_of(steps: list[Step]) -> Labels:
    """The events that a journal would hold."""
    labels = Labels()

    def add(user: str, **said: Any) -> None:
        event = {"n": labels.last + 1, "time": "", "user": user, **said}
        labels.add(LabelEvent.model_validate(event), "test")

    add("a", kind="schema", definition=schema_to_dict(RINGS))
    for user, galaxy, what in steps:
        if what != "undo":
            said = {"kind": "skip"} if what == "skip" else {"kind": "label", "answer": what}
            add(user, id=galaxy, schema="rings", **said)
        elif own := [e for e in labels.events[1:] if e.user == user and e.kind != "undo" and e.n not in labels.undone]:
            add(user, kind="undo", undoes=own[-1].n)
    return labels


@settings(deadline=None)
@given(STEPS)
def test_what_counts_is_what_one_would_say(steps: list[Step]) -> None:
    standing: list[Step] = []
    for user, galaxy, what in steps:
        if what != "undo":
            standing.append((user, galaxy, what))
        elif own := [place for place, step in enumerate(standing) if step[0] == user]:
            del standing[own[-1]]
    expected = {}
    for galaxy in "xyz":
        last = {user: (place, what) for place, (user, which, what) in enumerate(standing) if which == galaxy}
        answers = sorted((place, what) for place, what in last.values() if what != "skip")
        if answers:
            expected[galaxy] = (answers[-1][1], len({what for _, what in answers}) > 1)
    labels = events_of(steps)
    found = {e.id: (e.answer, labels.disagreed("rings", e.id)) for e in labels.labelled("rings")}
    assert found == expected


def test_a_journal_is_a_table_of_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "labels.jsonl"
    ann, bob = Journal(path, "ann", seed=5), Journal(path, "bob")
    ann.define(RINGS)
    for number in range(40):
        ann.label("rings", f"{number:04d}", "ring", "queue")
    bob.label("rings", "0003", "no-ring", "queue")
    bob.label("rings", "0004", "ring", "queue")
    table = read_table(path).set_index("id_str")
    assert bob.seed == 5
    assert table.loc["0003", "rings"] == "no-ring"
    assert table["rings_disagreed"].sum() == 1
    assert "people disagree on 1 galaxies of rings" in caplog.text
    aside = {name for name in table.index if hash_of(5, name) < BORDER}
    assert set(table.index[table["split"] == "val"]) == aside
    assert 0 < len(aside) < 20


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("no json", "line 4: no JSON"),
        ('{"n": 3}', "line 4: no event"),
        (
            '{"n": 9, "time": "", "user": "a", "kind": "vote", "id": "x", "interesting": true}',
            "event 9 follows event 2",
        ),
        ('{"n": 3, "time": "", "user": "a", "kind": "undo", "undoes": 1}', "event 1 is no label"),
        ('{"n": 3, "time": "", "user": "a", "kind": "label", "id": "x", "schema": "rings", "answer": "?"}', "no class"),
        ('{"n": 3, "time": "", "user": "a", "kind": "label", "id": "x", "schema": "s", "answer": "?"}', "not defined"),
        ('{"n": 3, "time": "", "user": "a", "kind": "schema", "definition": {"kind": "x"}}', "kind"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "labels.jsonl"
    journal = Journal(path, "ann")
    journal.define(RINGS)
    journal.label("rings", "g", "ring", "queue")
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CatalogError, match=says):
        read_table(path)
    with pytest.raises(CatalogError, match=says):
        Journal(path, "ann")


def test_a_journal_is_read_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "labels.jsonl"
    Journal(path, "ann").define(RINGS)
    monkeypatch.setattr(os, "open", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    journal = Journal(path, "ann")
    assert journal.refresh().schema == RINGS
    with pytest.raises(OutputError, match="Permission denied"):
        journal.label("rings", "g", "ring", "queue")


def test_a_journal_takes_the_place_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("something else\n")
    with pytest.raises(CatalogError, match="no JSON"):
        Journal(tmp_path / "other.txt")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises((CatalogError, OutputError)):
        Journal(tmp_path / "link").define(RINGS)
    later = {"format": "tuningfork-labels", "version": 2, "seed": 0}
    (tmp_path / "later").write_text(json.dumps(later) + "\n")
    with pytest.raises(CatalogError, match="format version 2"):
        Journal(tmp_path / "later")


def test_classes_are_added_and_never_taken_away(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "labels.jsonl")
    journal.define(RINGS)
    journal.define(RINGS)
    journal.define(made_schema("rings", ["ring", "no ring", "lens"]))
    assert journal.refresh().last == 2
    with pytest.raises(CatalogError, match="not taken away"):
        journal.define(made_schema("rings", ["ring", "lens"]))
    assert journal.refresh().last == 2


# --- the queue


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, np.nan]), min_size=1, max_size=30), st.integers(0, 12))
def test_the_highest_are_those_of_a_whole_sort(values: list[float], n: int) -> None:
    scores, rows = np.array(values), np.arange(len(values))[::2]
    whole = sorted(rows.tolist(), key=lambda row: (-(scores[row] if scores[row] == scores[row] else -np.inf), row))
    assert queue.highest(scores, rows, n).tolist() == whole[:n]


def test_the_most_different_lie_farthest_from_all_before_them() -> None:
    points = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    centres = points[:2]
    chosen = queue.most_different(points, centres, 5)
    near = list(centres)
    for row in chosen:
        apart = np.linalg.norm(points[:, None] - np.array(near)[None], axis=2).min(axis=1)
        assert apart[row] == pytest.approx(apart.max(), rel=1e-3)
        near.append(points[row])
    assert len(set(chosen.tolist())) == 5


def test_every_fifth_is_for_validation_as_long_as_there_are_both() -> None:
    assert queue.interleaved(np.arange(8), np.array([100, 101]), 10) == [0, 1, 2, 3, 100, 4, 5, 6, 7, 101]
    assert queue.interleaved(np.arange(2), np.array([100, 101]), 10) == [0, 1, 100, 101]
    numbers = queue.hashes(3, [f"g{n}" for n in range(4000)])
    assert queue.is_validation(numbers).mean() == pytest.approx(0.2, abs=0.02)


def test_entropy_is_1_where_nothing_is_known_and_0_where_all_is() -> None:
    found = queue.entropy(np.array([[0.5, 0.5], [1.0, 0.0], [np.nan, 0.5]]))
    assert found[:2] == pytest.approx([1, 0], abs=1e-9)
    assert np.isnan(found[2])


# --- learning


def two_clouds(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 12) float32 of two classes, one feature that never changes, one of a scale of its own."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    features = rng.normal(size=(n, 12)) + 1.2 * truth[:, None]
    features[:, 3], features[:, 4] = 7.0, 1e4 * features[:, 4] + 3e5
    return features.astype(np.float32), np.where(truth, "ring", "no-ring")


def test_a_head_learns_what_can_be_learned_and_says_how_well() -> None:
    features, truth = two_clouds(2000)
    features[5] = np.nan
    train, judged = np.arange(10, 130), np.arange(1000, 2000)
    classes = ("ring", "no-ring", "lens")
    learned = learn(
        features,
        scale_of(features),
        Examples(train, list(truth[train])),
        Examples(judged, list(truth[judged])),
        classes,
    )
    assert learned.head.classes == ("ring", "no-ring")
    assert learned.counts["lens"] == 0
    assert learned.n == 120
    validation = learned.validation
    assert validation is not None
    assert validation.accuracy > 0.95
    assert validation.low < validation.accuracy < validation.high
    assert validation.classes["ring"]["n"] == (truth[judged] == "ring").sum()
    chances = learned.head.probabilities(features)
    assert np.isnan(chances[5]).all()
    np.testing.assert_allclose(np.delete(chances, 5, axis=0).sum(axis=1), 1, atol=1e-5)
    assert (learned.head.weights[:, 3] == 0).all()
    # Probabilities hold: of galaxies called ring with p, about p are.
    p = chances[judged, 0]
    assert p.mean() == pytest.approx((truth[judged] == "ring").mean(), abs=0.05)


def test_intervals_of_the_accuracy_are_wilsons() -> None:
    features, truth = two_clouds(400)
    learned = learn(
        features,
        scale_of(features),
        Examples(np.arange(80), list(truth[:80])),
        Examples(np.arange(0), []),
        ("ring", "no-ring"),
    )
    assert learned.validation is None
    wrong = ["ring" if name == "no-ring" else "no-ring" for name in truth[:10]]
    judged = judge(learned.head, features, Examples(np.arange(10), wrong))
    assert judged is not None
    z, n, p = 1.959964, 10, judged.accuracy
    centre, half = (p + z**2 / 2 / n) / (1 + z**2 / n), z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
    assert (judged.low, judged.high) == pytest.approx((max(centre - half, 0), centre + half), abs=1e-6)


def test_too_few_labels_are_said_in_words() -> None:
    features, _ = two_clouds(50)
    some = Examples(np.arange(4), ["ring", "ring", "ring", "no-ring"])
    with pytest.raises(TuningforkError, match=r"two classes with 2 labels each .*ring 3, no-ring 1"):
        learn(features, scale_of(features), some, some, ("ring", "no-ring"))
    with pytest.raises(TuningforkError, match="fewer than two"):
        scale_of(np.full((3, 4), np.nan, np.float32))


def test_wide_features_lose_nothing_by_being_reduced() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(300, 400)).astype(np.float32)
    truth = np.where(features[:, :5].sum(axis=1) > 0, "a", "b")
    learned = learn(
        features, scale_of(features), Examples(np.arange(60), list(truth[:60])), Examples(np.arange(0), []), ("a", "b")
    )
    from sklearn.linear_model import LogisticRegression

    points = scale_of(features).of(features)
    gaps = []
    for strength in [10.0**power for power in range(-1, 5)]:
        plain = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000, tol=1e-8).fit(
            points[:60], truth[:60] == "b"
        )
        odds = learned.head.probabilities(features)[:, 1].astype(float)
        logits, ours = plain.decision_function(points), np.log(odds / (1 - odds))
        gaps.append(np.abs(logits / np.linalg.norm(logits) - ours / np.linalg.norm(ours)).max())
    assert min(gaps) < 1e-3  # one strength gives the same, but for the temperature


def test_votes_lead_to_more_of_what_was_liked() -> None:
    rng = np.random.default_rng(2)
    points = np.concatenate([rng.normal(0, 0.1, (50, 2)), rng.normal(3, 0.1, (50, 2)), [[40.0, 40.0]]])
    scores = np.linspace(1, 0.5, 101)
    found = interest(points, scores, points[[0, 1, 60, 61]], np.array([0.0, 0.0, 1.0, 1.0]))
    assert found[50:100].mean() > found[:50].mean() + 0.2
    assert found[0] < 0.2
    assert found[100] == pytest.approx(scores[100], abs=1e-3)  # far from all votes


# --- the whole way, through the server


@pytest.fixture(scope="module")
def surveyed(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the catalogue and the embedding of 120 galaxies by the bundled model."""
    folder = tmp_path_factory.mktemp("surveyed")
    predict(galaxies, folder / "catalogue.parquet", engine="torch")
    embed(galaxies, folder / "features.parquet", maps=(), engine="torch")
    return folder


@pytest.fixture
def folder(surveyed: Path, tmp_path: Path) -> Path:
    for file in surveyed.glob("*.parquet"):
        os.link(file, tmp_path / file.name)
    return tmp_path


def client_of(asked: Asked) -> TestClient:
    place = Place("127.0.0.1", 8123)
    client = TestClient(application(open_state(asked), place, "secret"), base_url="http://127.0.0.1:8123")
    client.headers["Origin"] = "http://127.0.0.1:8123"
    assert client.get("/?token=secret").status_code == 200
    return client


def asked_of(folder: Path, **more: Any) -> Asked:
    return replace(Asked(folder / "catalogue.parquet", embedding=folder / "features.parquet"), **more)


def posted(client: TestClient, path: str, said: object = None) -> Any:
    answer = client.post(f"/api/{path}", json={} if said is None else said)
    assert answer.status_code == 200, answer.text
    return answer.json()


def give(client: TestClient, row: int, answer: str | None, queue: str | None = None, **more: Any) -> Any:
    """Label a row as the page does: of the galaxy that it shows, by the question that it asks."""
    known = posted(client, "rows", {"offset": row, "limit": 1})["rows"][0]["id"]
    said = {"schema": client.get("/api/labels/setup").json()["schema"], "id": known, "queue": queue}
    return posted(client, "labels", {"row": row, "answer": answer, **said, **more})


def label_all(client: TestClient, truth: dict[str, str], n: int, order: str = "random") -> list[dict[str, Any]]:
    rows = posted(client, "labels/next", {"order": order, "filter": None, "n": n})["rows"]
    for each in rows:
        give(client, each["row"], truth[each["id"]], "queue")
    return list(rows)


@pytest.fixture(scope="module")
def truth(galaxies: Path) -> dict[str, str]:
    table = read_table(galaxies)
    names = {"round": "round", "in-between": "long", "cigar": "long"}
    return {name: names[label] for name, label in zip(table["id_str"], table["five_class"], strict=True)}


def test_from_an_embedding_to_a_better_model(folder: Path, truth: dict[str, str], galaxies: Path) -> None:
    client = client_of(asked_of(folder))
    setup = client.get("/api/labels/setup").json()
    assert (setup["schema"], setup["journal"]) == (None, "catalogue-labels.jsonl")
    assert setup["orders"] == ["uncertainty", "ood", "diversity", "random"]
    assert (
        client.post("/api/labels", json={"row": 0, "id": "x", "schema": "shapes", "answer": "round"}).status_code == 409
    )
    assert posted(client, "labels/setup", {"name": "Shapes", "classes": ["round", "long"]})["file"] == "shapes.toml"
    assert load_schema(folder / "shapes.toml").columns == ("shapes",)
    assert "label some more" in client.post("/api/learn", json={}).json()["error"]
    assert client.get("/api/learn").json() is None

    first = label_all(client, truth, 25, "random")
    assert sum(each["validation"] for each in first) == 5
    learned = posted(client, "learn")
    assert learned["columns"] == ["learned_shapes_round", "learned_shapes_long"]
    assert learned["n"] == 20
    assert learned["validation"]["n"] == 5
    for order in ("uncertainty", "ood", "diversity"):
        again = label_all(client, truth, 20, order)
        assert not {each["row"] for each in first} & {each["row"] for each in again}
        first += again
    learned = posted(client, "learn")
    assert client.get("/api/learn").json() == learned
    setup = client.get("/api/labels/setup").json()
    assert setup["counts"]["labels"] == 85
    assert setup["counts"]["validation"] == learned["validation"]["n"] == 17
    assert setup["answers"][1] == {"key": "2", "name": "long", "title": "long"}
    assert learned["validation"]["accuracy"] > 0.8

    columns = {each["name"]: each for each in client.get("/api/catalogue").json()["columns"]}
    assert columns["learned_shapes_round"]["role"] == "probability"
    asked = {"sort": {"order": "queue"}, "limit": 120, "columns": ["learned_shapes_round", "learned_shapes_long"]}
    rows = posted(client, "rows", asked)["rows"]
    doubt = [abs(each["values"]["learned_shapes_round"] - 0.5) for each in rows]
    assert np.diff(doubt).min() > -1e-6

    trained = posted(client, "train", {"out": "shapes-model"})
    assert f"--model {folder / 'shapes-model'}" in trained["command"]
    assert "exists" in client.post("/api/train", json={"out": "shapes-model"}).json()["error"]
    command("predict", galaxies, folder / "again.parquet", "--model", folder / "shapes-model")
    answered = read_table(folder / "again.parquet").set_index("id_str")
    for each in rows:
        for name in ("round", "long"):
            assert answered.loc[each["id"], f"shapes_{name}"] == pytest.approx(
                each["values"][f"learned_shapes_{name}"], abs=1e-4
            )
    right = [answered.loc[name, "shapes"] == label for name, label in truth.items()]
    assert np.mean(right) > 0.9

    manifest = read_manifest(folder / "shapes-model")
    assert manifest["data"]["n"] == {"train": 68, "val": 17}
    assert manifest["data"]["start"] == read_manifest("default")["sha256"]
    card = (folder / "shapes-model" / "card.md").read_text()
    assert manifest["data"]["labels"]["sha256"] in card
    assert "68 labels" in card
    command("report", folder / "shapes-model", "--out", folder / "report.html")
    command("ensemble", folder / "shapes-model", folder / "shapes-model", folder / "pair")


def test_labels_are_packed_by_the_real_command(folder: Path, truth: dict[str, str], galaxies: Path) -> None:
    client = client_of(asked_of(folder, labels=folder / "mine.jsonl"))
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    label_all(client, truth, 40)
    said = command(
        "pack",
        galaxies,
        folder / "pack",
        "--labels",
        folder / "mine.jsonl",
        "--schema",
        folder / "shapes.toml",
        "--size",
        40,
    )
    assert "labels of shapes: 40" in said
    packed = pq.read_table(folder / "pack" / "catalog.parquet").to_pandas().set_index("id_str")
    known = packed["shapes"].dropna()
    assert known.to_dict() == {name: truth[name] for name in known.index}
    assert set(packed.loc[known.index, "split"]) == {"train", "val"}


def test_two_tabs_and_two_people_see_one_another(folder: Path) -> None:
    first, second = client_of(asked_of(folder)), client_of(asked_of(folder))
    posted(first, "labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
    assert second.get("/api/labels/setup").json()["schema"] == "rings"
    give(first, 3, "ring")
    give(second, 4, "no-ring")
    give(second, 5, None)
    seen = first.get("/api/labels?since=0").json()
    assert [(each["row"], each["answer"]) for each in seen["entries"]] == [(3, "ring"), (4, "no-ring"), (5, None)]
    for entry in seen["entries"][:0:-1]:
        assert posted(first, "labels/undo", {"n": entry["n"], "schema": "rings"})["row"] == entry["row"]
    news = second.get(f"/api/labels?since={seen['last']}").json()
    assert [(each["row"], each["answer"]) for each in news["entries"]] == [(5, None), (4, None)]
    bob = Journal(default_journal(folder / "catalogue.parquet"), "bob")
    bob.label("rings", posted(first, "rows", {"limit": 8})["rows"][7]["id"], "ring", "queue")
    assert first.get(f"/api/labels?since={news['last']}").json()["entries"][0]["user"] == "bob"
    assert posted(first, "labels/undo", {"n": seen["entries"][0]["n"], "schema": "rings"})["row"] == 3
    bobs = first.get(f"/api/labels?since={news['last']}").json()["entries"][0]["n"]
    refused = first.post("/api/labels/undo", json={"n": bobs, "schema": "rings"})
    assert "by bob" in refused.json()["error"]
    left = posted(first, "labels/next", {"order": "random", "n": 500})["rows"]
    assert 7 not in [each["row"] for each in left]
    assert {3, 4, 5} <= {each["row"] for each in left}


def test_what_was_chosen_for_what_it_is_does_not_judge(folder: Path, truth: dict[str, str]) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    for each in posted(client, "rows", {"limit": 60})["rows"]:
        give(client, each["row"], truth[each["id"]])
    assert client.get("/api/labels/setup").json()["counts"]["validation"] == 0
    learned = posted(client, "learn")
    assert learned["validation"] is None
    assert learned["n"] == 60
    assert set(read_table(default_journal(folder / "catalogue.parquet"))["split"]) == {"train"}


def test_a_schema_of_ones_own_keeps_what_was_written_in_it(folder: Path) -> None:
    client, path = client_of(asked_of(folder)), folder / "shapes.toml"
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    path.write_text("# by hand\n" + path.read_text().replace("shapes, as labelled", "How it looks"))
    written = path.read_text()
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    assert path.read_text() == written
    posted(client, "labels/setup", {"name": "shapes", "classes": ["long", "round", "odd"]})
    schema = load_schema(path)
    assert (schema.title, schema.class_names) == ("How it looks", ("round", "long", "odd"))
    refused = client.post("/api/labels/setup", json={"name": "shapes", "classes": ["round", "other"]})
    assert refused.status_code == 400 and "shapes.toml is a schema already" in refused.text


GIVEN = {"row": 1, "id": "g0001", "schema": "rings", "answer": "ring"}


@pytest.mark.parametrize(
    ("path", "said", "says"),
    [
        ("labels/setup", {"name": "../x", "classes": ["a", "b"]}, "letters"),
        ("labels/setup", {"name": "x", "classes": ["a"]}, "2 to 50"),
        ("labels/setup", {"name": "x", "classes": ["a", "a"]}, "duplicate class"),
        ("labels/setup", {"name": "x", "classes": ["a", "b\n"]}, "a class has a name"),
        ("labels/setup", {"name": "note", "classes": ["a", "b"]}, "rename it"),
        ("labels", GIVEN | {"row": 500}, "row is a whole number"),
        ("labels", GIVEN | {"answer": "<b>"}, "no class of rings"),
        ("labels", GIVEN | {"answer": 4}, "answer is a text"),
        ("labels", GIVEN | {"queue": "mine"}, "queue is how"),
        ("labels", GIVEN | {"schema": "lenses"}, "no question 'lenses'"),
        ("labels", GIVEN | {"id": "another"}, "not 'another', which was shown"),
        ("labels", {"row": 1, "answer": "ring"}, "schema is a text"),
        ("labels/undo", {}, "n is a whole number"),
        ("labels/undo", {"n": 9, "schema": "rings"}, "no label of number 9"),
        ("labels/next", {"order": "best"}, "can't be had"),
        ("labels/next", {"order": "random", "n": 100000}, "n is a whole number"),
        ("train", {"out": "../model"}, "no folders"),
        ("train", {"out": ".model"}, "begins with a letter"),
        ("anomaly", {"row": 1, "up": 1}, "true or false"),
        ("take", {"format": "exe"}, "no format"),
        (
            "take",
            {"format": "csv", "filter": {"all": [{"column": "id_str", "in": ["nobody"]}]}},
            "no galaxy is selected",
        ),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(folder: Path, path: str, said: object, says: str) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
    answer = client.post(f"/api/{path}", json=said)
    assert answer.status_code in (400, 409)
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_hostile_names_of_classes_stay_text(folder: Path) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "odd", "classes": ["<img src=x>", "=1+1", "ring 'n' \"disc\""]})
    names = [each["name"] for each in client.get("/api/labels/setup").json()["answers"]]
    assert names == ["<img-src=x>", "=1+1", "ring-'n'-\"disc\""]
    for row in range(12):
        give(client, row, names[row % 3])
    page = client.post("/api/take", json={"format": "html"}).text
    assert "<img src=x>" not in page
    assert load_schema(folder / "odd.toml").name == "odd"


def test_without_features_or_ids_it_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    client = client_of(Asked(folder / "catalogue.parquet"))
    assert client.get("/api/labels/setup").json()["orders"] == ["uncertainty", "ood", "random"]
    posted(client, "labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
    assert "--embedding" in client.post("/api/learn", json={}).json()["error"]
    pd.DataFrame({"value": [1.0, 2.0]}).to_csv(tmp_path / "plain.csv", index=False)
    plain = client_of(Asked(tmp_path / "plain.csv"))
    assert not plain.get("/api/catalogue").json()["has"]["labels"]
    posted(plain, "labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
    assert "no id" in plain.post("/api/labels", json=GIVEN | {"row": 0, "id": "0"}).json()["error"]
    pd.DataFrame({"id_str": ["a", "b"]}).to_csv(tmp_path / "named.csv", index=False)
    vote = client_of(Asked(tmp_path / "named.csv")).post("/api/anomaly", json={"row": 0, "up": True})
    assert "--embedding" in vote.json()["error"]
    with pytest.raises(SchemaError, match="list of classes"):
        client_of(asked_of(folder, schema="gz-challenge"))


def test_a_schema_that_is_named_is_labelled_by(folder: Path, truth: dict[str, str]) -> None:
    client = client_of(asked_of(folder, schema="five-classes"))
    setup = client.get("/api/labels/setup").json()
    assert (setup["schema"], len(setup["answers"])) == ("five-classes", 5)
    for row in range(12):
        give(client, row, ("round", "cigar")[row % 2])
    learned = posted(client, "learn")
    assert learned["columns"] == ["learned_five_classes_round", "learned_five_classes_cigar"]
    assert (
        "in-between, edge-on, spiral has too few labels" in client.post("/api/train", json={"out": "m"}).json()["error"]
    )
    assert not (folder / "m").exists()


def test_thumbs_re_rank_what_is_unusual(folder: Path, galaxies: Path) -> None:
    client, ranked = client_of(asked_of(folder)), {"sort": {"order": "anomaly"}, "limit": 120}
    client.get("/api/labels/setup")
    names = dict(read_table(galaxies)[["id_str", "five_class"]].to_numpy())
    before = [(each["row"], names[each["id"]]) for each in posted(client, "rows", ranked)["rows"]]
    first = [name for _, name in before[:40]]
    liked = min((name for name in {*first} if first.count(name) >= 4), key=first.count)
    voted = [pair for pair in before[:40] if pair[1] == liked][:4] + [pair for pair in before if pair[1] != liked][:8]
    for number, (row, name) in enumerate(voted, start=1):
        assert posted(client, "anomaly", {"row": row, "up": name == liked})["n"] == number
    after = [names[each["id"]] for each in posted(client, "rows", ranked)["rows"]]
    assert after[:20].count(liked) > first[:20].count(liked)
    again = client_of(asked_of(folder))  # another start knows the votes
    again.get("/api/labels/setup")
    assert [names[each["id"]] for each in posted(again, "rows", ranked)["rows"]] == after


def test_the_model_is_made_of_what_made_the_features(folder: Path, truth: dict[str, str], model: Path) -> None:
    client = client_of(asked_of(folder, model=str(model)))
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    label_all(client, truth, 30)
    assert "another model" in client.post("/api/train", json={"out": "m"}).json()["error"]
    assert not (folder / "m").exists()
    with pytest.raises(ModelError):
        load_model(folder / "m")


# --- taking away


def test_a_selection_is_taken_away_whole_in_every_format(folder: Path, truth: dict[str, str]) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    label_all(client, truth, 40)
    posted(client, "learn")
    chosen = {"all": [{"column": "learned_shapes_round", "min": 0.5}]}
    n = posted(client, "rows", {"filter": chosen, "limit": 1})["total"]
    whole = pq.read_table(folder / "catalogue.parquet").to_pandas().set_index("id_str")
    for kind, ending in {"csv": "csv", "parquet": "parquet", "fits": "fits", "votable": "vot"}.items():
        answer = client.post("/api/take", json={"format": kind, "filter": chosen})
        assert answer.headers["content-disposition"] == f'attachment; filename="catalogue-selection.{ending}"'
        (folder / f"taken.{ending}").write_bytes(answer.content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units that astropy does not know
            table = read_table(folder / f"taken.{ending}").set_index("id_str")
        assert len(table) == n
        np.testing.assert_allclose(table["ood_score"], whole.loc[table.index, "ood_score"], rtol=1e-6)
        assert (table["learned_shapes_round"] >= 0.5).all()
        known = table["shapes"].replace("", None).dropna()
        assert known.to_dict() == {name: truth[name] for name in known.index}
    labels = client.post("/api/take", json={"format": "parquet", "labelled": True})
    (folder / "labels.parquet").write_bytes(labels.content)
    assert len(read_table(folder / "labels.parquet")) == 40


def test_a_page_of_a_selection_needs_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuningfork.explore.sheet.PICTURES", 7)
    page = client_of(asked_of(folder)).post("/api/take", json={"format": "html"})
    assert page.text.count("data:image/jpeg") == 7
    assert "first 7 of 120" in page.text
    assert 'src="http' not in page.text


def test_a_selection_is_sent_by_samp(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samp = pytest.importorskip("pyvo.samp")
    client, lock = client_of(asked_of(folder)), tmp_path / "samp-lock"
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{lock}")
    chosen = {"all": [{"column": "ood_score", "max": 1e9}]}
    refused = client.post("/api/samp", json={"filter": chosen})
    assert refused.json()["error"] == "no SAMP hub runs; start TOPCAT or Aladin, then send again"
    with samp.conf.set_temp("use_internet", False):
        hub = samp.SAMPHubServer(web_profile=False, lockfile=str(lock), addr="127.0.0.1")
        hub.start()
        other = samp.SAMPIntegratedClient("TOPCAT", addr="127.0.0.1")
        try:
            assert "no program" in client.post("/api/samp", json={"filter": chosen}).json()["error"]
            other.connect()
            got: list[Any] = []
            other.bind_receive_notification(
                "table.load.votable", lambda key, sender, kind, params, extra: got.append(params)
            )
            assert posted(client, "samp", {"filter": chosen}) == {"clients": ["TOPCAT"]}
            for _ in range(100):
                if got:
                    break
                time.sleep(0.05)
            path = Path(got[0]["url"].removeprefix("file://"))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert len(read_table(path)) == posted(client, "rows", {"filter": chosen, "limit": 1})["total"]
        finally:
            if other.is_connected:
                other.disconnect()
            hub.stop()


def test_an_embedding_of_an_ensemble_becomes_its_first_network(
    folder: Path, galaxies: Path, truth: dict[str, str]
) -> None:
    command("ensemble", "default", "accurate/members/1", folder / "both")
    embed(galaxies, folder / "both.parquet", model=folder / "both", maps=(), engine="torch")
    assert read_embedding(folder / "both.parquet").features.shape[1] == 96
    client = client_of(asked_of(folder, embedding=folder / "both.parquet"))
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    label_all(client, truth, 30)
    posted(client, "learn")
    posted(client, "train", {"out": "m"})
    made, first = load_model(folder / "m"), load_model("default")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made.features(images), first.features(images))
    assert [schema.name for schema in made.schemas] == ["shapes"]
    table = pq.read_table(folder / "both.parquet")  # of earlier versions: the features of both, side by side
    wide = np.tile(np.stack(table["features"].to_pylist()), 2).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(wide.ravel(), 192)
    told = {key: text.replace(b'"n_features": 96', b'"n_features": 192') for key, text in table.schema.metadata.items()}
    table = table.set_column(table.column_names.index("features"), "features", column).replace_schema_metadata(told)
    pq.write_table(table, folder / "both.parquet")
    client = client_of(asked_of(folder, embedding=folder / "both.parquet"))
    client.get("/api/labels/setup?schema=shapes")
    posted(client, "learn")
    assert "embed again" in client.post("/api/train", json={"out": "n"}).json()["error"]


# --- the page that shows all of it


def served(arguments: list[str], folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The explorer as a process of its own, and its address."""
    code = "from tuningfork.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, *arguments, "--no-browser"]
    running = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    found = re.search(r"http://\S+", running.stdout.readline())
    assert found
    return running, found[0]


def label_rings(address: str, truth: dict[str, str]) -> None:
    """What the page says to do in the browser, by what the page asks of the server."""
    host, token = address.split("/?token=")
    with httpx.Client(base_url=host, headers={"Origin": host}, follow_redirects=True, timeout=60) as client:
        assert client.get(f"/?token={token}").status_code == 200

        def post(path: str, said: object) -> Any:
            answer = client.post(f"/api/{path}", json=said)
            assert answer.status_code == 200, answer.text
            return answer.json()

        post("labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
        for order, n in (("diversity", 40), ("uncertainty", 20)):
            for each in post("labels/next", {"order": order, "filter": None, "n": n})["rows"]:
                post("labels", {**each, "schema": "rings", "answer": truth[each["id"]], "queue": "queue"})
            learned = post("learn", {})
        assert learned["validation"]["n"] == 12
        post("train", {"out": "rings-model"})


def test_the_page_on_rings_holds_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands, with fewer galaxies and epochs; a kill in the middle of labelling."""
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").replace("--n 600", "--n 110")
    asked = [line[2:] for block in re.findall(r"```shell\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(asked) == 8
    for line in asked:
        program, *arguments = shlex.split(line)
        assert program == "tuningfork"
        if arguments[0] != "explore":
            command(*arguments, *(["--set", "optim.epochs=4"] if arguments[0] == "train" else []))
            continue
        known = read_table("galaxies/catalog.parquet").set_index("id_str")["sim_class"]
        running, address = served(arguments, tmp_path)
        with running:
            label_rings(address, {name: "ring" if kind == "ring" else "no-ring" for name, kind in known.items()})
            running.kill()
    assert len(read_table("catalogue-labels.jsonl")) == 60
    rings = read_table("rings.parquet").set_index("id_str")["rings_ring"]
    kinds = known[rings.index] == "ring"
    assert rings[kinds].median() > rings[~kinds].median()
    assert (tmp_path / "rings-evaluation" / "evaluation.json").exists()


# --- what a label is of


def test_a_label_is_by_the_question_of_its_tab(folder: Path) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "rings", "classes": ["yes", "no"]})
    posted(client, "labels/setup", {"name": "bars", "classes": ["yes", "no"]})  # another tab asks another question
    first = give(client, 1, "yes", schema="rings")
    assert give(client, 1, "yes", schema="rings") == first  # a request that is sent again says nothing new
    second = give(client, 1, "no", schema="bars")
    path = folder / "catalogue-labels.jsonl"
    assert (labelled(path, "rings"), labelled(path, "bars")) == ({GIVEN["id"]: "yes"}, {GIVEN["id"]: "no"})
    for name, answers in (("rings", {"yes": 1, "no": 0}), ("bars", {"yes": 0, "no": 1})):
        setup = client.get(f"/api/labels/setup?schema={name}").json()
        assert (setup["schema"], setup["counts"]["by_answer"], setup["schemas"]) == (name, answers, ["rings", "bars"])
    wrong = client.post("/api/labels/undo", json={"n": second["n"], "schema": "rings"})
    assert (wrong.status_code, "of bars" in wrong.json()["error"]) == (409, True)
    for _ in range(2):
        assert posted(client, "labels/undo", {"n": first["n"], "schema": "rings"})["row"] == 1
    assert (labelled(path, "rings"), labelled(path, "bars")) == ({}, {GIVEN["id"]: "no"})


def test_what_is_another_galaxy_or_can_not_be_written_is_no_fault_of_the_label(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
    for said in (GIVEN | {"id": "another"}, GIVEN | {"schema": "another"}):
        assert client.post("/api/labels", json=said).status_code == 409
    assert client.post("/api/labels", json=GIVEN | {"answer": "another"}).status_code == 400
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(full))
    answer = client.post("/api/labels", json=GIVEN)
    assert (answer.status_code, "No space left" in answer.json()["error"]) == (503, True)


def test_a_catalogue_with_a_galaxy_twice_is_not_labelled(tmp_path: Path) -> None:
    pd.DataFrame({"id_str": ["a", "b", "b", ""]}).to_csv(tmp_path / "twice.csv", index=False)
    client = client_of(Asked(tmp_path / "twice.csv"))
    posted(client, "labels/setup", {"name": "rings", "classes": ["ring", "no ring"]})
    assert "'b' more than once" in client.get("/api/labels/setup").json()["refused"]
    refused = client.post("/api/labels", json=GIVEN | {"row": 0, "id": "a"})
    assert (refused.status_code, "'b' more than once" in refused.json()["error"]) == (400, True)


def test_an_accuracy_says_what_it_holds_for(folder: Path, truth: dict[str, str]) -> None:
    client = client_of(asked_of(folder))
    posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
    label_all(client, truth, 30)
    assert posted(client, "learn")["validation"]["filtered"] == 0
    rows = posted(client, "labels/next", {"order": "random", "filter": None, "n": 10})["rows"]
    for each in rows:
        give(client, each["row"], truth[each["id"]], "filtered")
        other = "long" if truth[each["id"]] == "round" else "round"
        give(client, each["row"], other)  # corrected in the grid: it still came from the queue
        give(client, each["row"], truth[each["id"]])
    learned = posted(client, "learn")
    assert learned["validation"]["n"] == 8
    assert learned["validation"]["filtered"] == 2
    posted(client, "train", {"out": "shapes-model"})
    assert "2 of them are a sample of what a filter kept" in (folder / "shapes-model" / "card.md").read_text()


def test_what_was_taken_away_is_learned_from_and_taken_away_again(
    folder: Path, truth: dict[str, str], galaxies: Path
) -> None:
    embed(galaxies, folder / "mapped.parquet", maps=("pca",), engine="torch")
    for _ in range(3):
        client = client_of(asked_of(folder, embedding=folder / "mapped.parquet", labels=folder / "labels.jsonl"))
        posted(client, "labels/setup", {"name": "shapes", "classes": ["round", "long"]})
        label_all(client, truth, 30)
        learned = posted(client, "learn")
        asked = {"limit": 120, "columns": learned["columns"]}
        shown = [each["values"]["learned_shapes_round"] for each in posted(client, "rows", asked)["rows"]]
        answer = client.post("/api/take", json={"format": "parquet"})
        assert answer.status_code == 200, answer.text
        (folder / "catalogue.parquet").unlink()
        (folder / "catalogue.parquet").write_bytes(answer.content)
        taken = pq.read_table(folder / "catalogue.parquet")
        assert len(set(taken.column_names)) == len(taken.column_names)
        assert {*learned["columns"], "map_pca_0", "shapes"} <= set(taken.column_names)
        assert taken["learned_shapes_round"].to_pylist() == pytest.approx(shown)


def test_columns_of_the_last_fit_go_and_questions_keep_their_own(folder: Path, truth: dict[str, str]) -> None:
    client = client_of(asked_of(folder))
    for name in ("shapes", "forms"):
        posted(client, "labels/setup", {"name": name, "classes": ["round", "long", "odd"]})
    given = [(row, name) for row, name in enumerate(["round", "long", "odd"] * 8)]
    numbers = {row: give(client, row, answer, schema="shapes")["n"] for row, answer in given}
    for row, answer in given[:12]:
        give(client, row, answer, schema="forms")
    assert len(posted(client, "learn", {"schema": "forms"})["columns"]) == 3
    assert "learned_shapes_odd" in posted(client, "learn", {"schema": "shapes"})["columns"]
    for row, answer in given:
        if answer == "odd":
            posted(client, "labels/undo", {"n": numbers[row], "schema": "shapes"})
    learned = posted(client, "learn", {"schema": "shapes"})
    assert learned["columns"] == ["learned_shapes_round", "learned_shapes_long"]
    names = [each["name"] for each in client.get("/api/catalogue").json()["columns"]]
    assert [name for name in names if name.startswith("learned_")] == [
        *(f"learned_forms_{name}" for name in ("round", "long", "odd")),
        *learned["columns"],
    ]
    assert client.get("/api/learn?schema=shapes").json() == learned


def test_a_name_may_hold_what_ends_lines_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    Journal(path, "ann").define(RINGS)
    Journal(path, "ann").label("rings", "a\u2028b\u0085c", "ring")
    path.write_text(path.read_text().replace("\\u2028", "\u2028").replace("\\u0085", "\u0085"), encoding="utf-8")
    assert list(read_table(path)["id_str"]) == ["a\u2028b\u0085c"]
