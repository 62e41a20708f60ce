"""What strangers may send: model folders that are wrong in one place, and eyes on what is done with them."""

from __future__ import annotations

import copy
import http.server
import json
import math
import pickle
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tuningfork.files import sha256
from tuningfork.models.described import digest

# What Python's audit hook tells of the network and of programs that are started.
FORBIDDEN = (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request",
    "os.system", "os.exec", "os.posix_spawn",
)  # fmt: skip


class Executed:
    """A pickle that makes a file if it is ever loaded freely."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@dataclass
class Trap:
    """A server that must see no request, a pickle that must not be executed, and what was seen of either."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @property
    def mark(self) -> Path:
        return self.folder / "executed"

    @property
    def pickled(self) -> Path:
        """As torch.save writes it."""
        path = self.folder / "weights.pth"
        if not path.exists():
            torch.save({"state_dict": Executed(self.mark)}, path, pickle_protocol=4)
        return path

    @contextmanager
    def watched(self) -> Iterator[None]:
        """See that nothing is asked of the network and nothing is executed."""
        _WATCHED.append(self)
        try:
            yield
        finally:
            _WATCHED.remove(self)
        assert not self.requests, self.requests
        assert not self.events, self.events
        assert not self.mark.exists()


_WATCHED: list[Trap] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _WATCHED and event in FORBIDDEN:
        for trap in _WATCHED:
            trap.events.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_hook)


@contextmanager
def trap(folder: Path) -> Iterator[Trap]:
    """A trap whose server runs in a thread of this process."""
    made = Trap(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            made.requests.append(f"{self.command} {self.path}")
            self.send_response(404)
            self.end_headers()

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def copied(folder: Path, out: Path) -> Path:
    """A copy without what is not needed."""
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("checkpoints", "logs", ".partial", "*.png"))
    content = json.loads((out / "model.json").read_text()) if (out / "model.json").exists() else {}
    if content:
        content["sha256"] = {name: sha for name, sha in content["sha256"].items() if not name.endswith(".png")}
        (out / "model.json").write_text(json.dumps(content))
    return out


def sealed(folder: Path, content: dict[str, Any]) -> None:
    """Write a manifest as one who knows how would: with the hashes of what lies there."""
    try:
        content["sha256"]["spec"] = digest(content)
        for name in content["sha256"]:
            if (folder / name).is_file():
                content["sha256"][name] = sha256(folder / name)
    except (KeyError, TypeError, AttributeError, OSError, ValueError):
        pass  # the hashes themselves are what is wrong
    (folder / "model.json").write_text(json.dumps(content))


Change = Callable[[Path], None]


def mostly_slow(cases: Iterable[str], quick: int = 6) -> list[Any]:
    """All of them for `make test-slow`, one in `quick` for each run of the suite."""
    return [pytest.param(case, marks=[pytest.mark.slow] if place % quick else []) for place, case in enumerate(cases)]


def key(path: str, value: Any, manifest: str = "model.json") -> Change:
    """A change of one key of a manifest, ``a.b.0.c``."""

    def change(folder: Path) -> None:
        content = json.loads((folder / manifest).read_text())
        *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        node = content
        for part in parents:
            node = node[part]
        node[last] = copy.deepcopy(value)
        if manifest == "model.json":
            sealed(folder, content)
        else:
            (folder / manifest).write_text(json.dumps(content))

    return change


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    """A change of the weights, whose hash is then that of the manifest."""

    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")
        sealed(folder, json.loads((folder / "model.json").read_text()))

    return apply


def content(name: str, data: bytes | Callable[[Path], bytes]) -> Change:
    """Other bytes in a file, whose hash is then that of the manifest."""

    def apply(folder: Path) -> None:
        (folder / name).write_bytes(data(folder / name) if callable(data) else data)
        if name != "model.json":
            sealed(folder, json.loads((folder / "model.json").read_text()))

    return apply


def linked(name: str, target: str) -> Change:
    """A link in place of a file; the hash is that of what it leads to."""

    def apply(folder: Path) -> None:
        kept = folder.parent / f"{folder.name}-{name}"
        (folder / name).rename(kept)
        (folder / name).symlink_to(kept if target == "same" else target)

    return apply


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _first(tensors: dict[str, torch.Tensor], kind: str = "weight") -> str:
    return next(name for name in tensors if name.endswith(kind))


def _poke(value: float) -> Change:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[_first(tensors)].view(-1)[0] = value

    return weights(change)


def _cast(dtype: torch.dtype) -> Change:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        name = _first(tensors)
        tensors[name] = tensors[name].to(dtype)

    return weights(change)


OPTIONS: dict[str, Any] = {
    "checkpoint_path": "weights.pth",
    "pretrained": True,
    "pretrained_cfg": {"url": "http://127.0.0.1:9/x", "file": "/etc/passwd"},
    "pretrained_cfg_overlay": {"url": "http://127.0.0.1:9/x", "custom_load": True},
    "pretrained_strict": False,
    "pretrained_filter_fn": "os.system",
    "cache_dir": "/tmp",
    "features_only": True,
    "scriptable": True,
    "exportable": True,
    "no_jit": True,
    "norm_layer": "os.system",
    "act_layer": "torch.hub.load",
    "block_fn": "builtins.exec",
    "in_chans": 3,
    "num_classes": 10,
    "img_size": 32,
    "device": "meta",
    "global_pool": "",
    "drop_rate": "0.1",
}
NUMBERS: dict[str, Any] = {
    "text": "4", "none": None, "table": {}, "list": [], "negative": -4, "zero": 0, "fraction": 2.5, "nan": math.nan,
    "infinite": math.inf, "large": 10_000, "larger": 10**9, "largest": 10**400, "deep": [[[4]]], "long": [4] * 1000,
}  # fmt: skip
# Each is refused when the model is opened to look at images.
MODELS: dict[str, Change] = {
    **{f"encoder {name[:24]!r}": key("encoder.name", name) for name in (
        "", "x", "a" * 5000, "hf_hub:evil/net", "hf-hub:evil/net", "local-dir:/etc", "timm/resnet18",
        "resnet18/../../x", "resnet18.:/x", "http://127.0.0.1:9/resnet18", "\x1b[2J", "os.system",
    )},
    **{f"encoder of type {value!r}": key("encoder.name", value) for value in (5, None, [], {}, True)},
    **{f"width {name}": key("encoder.options.width", value) for name, value in NUMBERS.items()},
    "options as a list": key("encoder.options", []),
    "options as text": key("encoder.options", "width"),
    "no options": key("encoder.options", None),
    "another option": key("encoder.options.depth", 4),
    **{f"geometry size {value!r}": key("geometry.size", value) for value in (0, -1, 1.5, "36", 10**9, True, None)},
    **{f"channels {value!r}": key("geometry.channels", value) for value in (0, -3, 4, 10**6, "3", [])},
    **{f"field {value!r}": key("geometry.field", value) for value in (0, -1, 2, math.nan, math.inf, "0.9", None)},
    **{f"input size {value!r}": key("input.size", value) for value in (0, 10**9, 7.5, "32", None)},
    **{f"input field {value!r}": key("input.field", value) for value in (0, 1.5, math.nan)},
    **{f"mean {name}": key("input.mean", value) for name, value in {
        "empty": [], "of four": [0.1] * 4, "text": ["a"] * 3, "nan": [math.nan] * 3, "infinite": [1e400] * 3,
        "table": {}, "nested": [[0.1]] * 3,
    }.items()},
    **{f"std {name}": key("input.std", value) for name, value in {
        "zero": [0, 0, 0], "negative": [-1.0] * 3, "nan": [math.nan] * 3, "infinite": [math.inf] * 3,
        "vanishing": [1e-320] * 3, "of one": [0.1],
    }.items()},
    **{f"heads {name}": key("heads", value) for name, value in {
        "none": [], "null": None, "a table": {}, "empty": [{}], "numbers": [1, 2], "huge": [{}] * 5000,
    }.items()},
    **{f"head kind {value!r}": key("heads.0.spec.kind", value) for value in ("", "os.system", 5, None, [])},
    **{f"hidden {value!r}": key("heads.0.spec.hidden", value) for value in ([10**9], [-1], ["4"] * 2, 5, {})},
    "dropout 2": key("heads.0.spec.dropout", 2),
    "unknown key of a head": key("heads.0.spec.code", "os.system"),
    **{f"schema {name}": key("heads.0.schema", value) for name, value in {
        "null": None, "list": [], "empty": {}, "text": "gz-challenge", "deep": _nested(30),
    }.items()},
    "schema's name": key("heads.0.schema.name", ["x"]),
    **{f"members {name}": key("members", value) for name, value in {
        "itself": [".", "."], "its parent": ["..", ".."], "absolute": ["/etc", "/etc"], "one": ["a"], "none": [],
        "many": ["members/1"] * 65, "text": "members", "missing": ["members/1", "members/2"], "numbers": [1, 2],
        "up": ["members/../../x", "members/2"], "nul": ["a\0b", "c"], "of Windows": ["C:\\x", "\\\\host\\share"],
    }.items()},
    **{f"images {name}": key("images", value) for name, value in {
        "a list": [], "survey a number": {"survey": 5, "field": "1"},
        "field a number": {"survey": {}, "field": 5}, "field": {"survey": {}, "field": "1e999arcsec"},
        "scale": {"survey": {"pixel_scale": "a"}, "field": "1"}, "bands": {"survey": {"bands": 5}, "field": "1"},
        "survey unknown": {"survey": {"code": 1}, "field": "1"},
        "angle of one": {"survey": {}, "field": "1", "arcsec": [1]},
        "angles of text": {"survey": {}, "field": "1", "arcsec": ["a", "b"]},
    }.items()},
    "format": key("format", "tuningfork-pack"),
    "version 2": key("version", 2),
    "version of a list": key("version", [1]),
    "no hashes": key("sha256", {}),
    "hash of another file": key("sha256", {"../../etc/passwd": "0" * 64}),
    "hashes as numbers": key("sha256", {"other": 5}),
    "hashes as a list": key("sha256", ["model.safetensors"]),
    "nested": key("data", {"x": _nested(100)}),
    "calibration of a list": key("calibration", []),
    "training of a list": key("training", []),
    "figures of text": key("figures", "x"),
    "deep": content("model.json", b"[" * 100_000),
    "no JSON": content("model.json", b"{"),
    "no text": content("model.json", b"\xff\xfe\0"),
    "an empty manifest": content("model.json", b""),
    "null": content("model.json", b"null"),
    "weights NaN": _poke(math.nan),
    "weights infinite": _poke(-math.inf),
    "weights of integers": _cast(torch.int8),
    "weights of truth values": _cast(torch.bool),
    "weights complex": _cast(torch.complex64),
    "weights huge": _poke(3e38),
    "weights missing": weights(lambda tensors: tensors.pop(_first(tensors))),
    "weights too many": weights(lambda tensors: tensors.update(x=torch.zeros(3))),
    "weights of another shape": weights(lambda tensors: tensors.update({_first(tensors): torch.zeros(3)})),
    "variance negative": weights(lambda tensors: tensors[_first(tensors, "running_var")].fill_(-1.0)),
    "counts of fractions": weights(
        lambda tensors: tensors.update({_first(tensors, "num_batches_tracked"): torch.tensor(0.5)})
    ),
    "weights cut": content("model.safetensors", lambda path: path.read_bytes()[:-10]),
    "weights empty": content("model.safetensors", b""),
    "weights of text": content("model.safetensors", b"no weights" * 10),
    "weights with a huge header": content("model.safetensors", b"\xff" * 16),
    "weights pickled": content("model.safetensors", lambda path: pickle.dumps(Executed(path.parent / "executed"))),
    "weights linked": linked("model.safetensors", "same"),
    "weights of a device": linked("model.safetensors", "/dev/zero"),
    "manifest of a device": linked("model.json", "/dev/zero"),
}  # fmt: skip


def uncertain(change: Callable[[dict[str, np.ndarray]], Any]) -> Change:
    """A change of the uncertainty of a calibrated model."""
    from safetensors.numpy import load_file as load_arrays
    from safetensors.numpy import save_file as save_arrays

    def apply(folder: Path) -> None:
        arrays = load_arrays(folder / "uncertainty.safetensors")
        change(arrays)
        save_arrays(arrays, folder / "uncertainty.safetensors")
        sealed(folder, json.loads((folder / "model.json").read_text()))

    return apply


def _ends(arrays: dict[str, np.ndarray], ending: str, value: Any) -> None:
    arrays |= {name: np.asarray(value, old.dtype) for name, old in arrays.items() if name.endswith(ending)}


UNCERTAINTIES: dict[str, Change] = {
    "no views": uncertain(lambda arrays: arrays.pop("views")),
    "three views": uncertain(lambda arrays: _ends(arrays, "views", 3)),
    "views without end": uncertain(lambda arrays: _ends(arrays, "views", 1 << 40)),
    "threshold 0": uncertain(lambda arrays: _ends(arrays, "likeness/threshold", 0.0)),
    "threshold NaN": uncertain(lambda arrays: _ends(arrays, "likeness/threshold", math.nan)),
    "threshold of a list": uncertain(lambda arrays: _ends(arrays, "likeness/threshold", [1.0, 2.0])),
    "other features": uncertain(lambda arrays: _ends(arrays, "likeness/mean", [0.0, 1.0])),
    "whitening NaN": uncertain(lambda arrays: arrays["likeness/whitening"].fill(math.nan)),
    "other statistics": uncertain(lambda arrays: _ends(arrays, "rendering/location", [0.0, 1.0])),
    "temperature 0": uncertain(lambda arrays: _ends(arrays, "five-classes", 0.0)),
    "temperature NaN": uncertain(lambda arrays: _ends(arrays, "five-classes", math.nan)),
    "other answers": uncertain(lambda arrays: _ends(arrays, "gz-challenge/knots", [[0.0, 1.0]] * 50)),
    "no answers": uncertain(lambda arrays: _ends(arrays, "gz-challenge/low", [])),
    "level without end": uncertain(lambda arrays: _ends(arrays, "challenge/level", math.inf)),
    "level of nothing": uncertain(lambda arrays: _ends(arrays, "challenge/level", -math.inf)),
    "a scatter of 0": uncertain(lambda arrays: arrays["expected/gz-challenge/scatter"].__setitem__(0, 0)),
    "scatters below 0": uncertain(lambda arrays: arrays["expected/gz-challenge/scatter"].fill(-1)),
    "a weight without end": uncertain(lambda arrays: arrays["expected/gz-challenge/weights"].__setitem__(0, math.inf)),
    "one scatter for all": uncertain(lambda arrays: _ends(arrays, "challenge/scatter", [1.0])),
    "errors of classes": uncertain(
        lambda arrays: arrays.update(
            {name.replace("gz-challenge", "five-classes"): old for name, old in arrays.items() if "expected/" in name}
        )
    ),
    "empty": content("uncertainty.safetensors", b""),
}
