"""A network's graph with every convolution, its norm, a sum and the ReLU after it made one step.

What comes before the first pooling is done for a few images at a time: maps are largest there, and stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import fx, nn
from torch._ops import HigherOrderOperator

from tuningfork.inference.engines.winograd.convolution import Settings

aten = torch.ops.aten
SUMS = (aten.add.Tensor, aten.add_.Tensor)
RELUS = (aten.relu.default, aten.relu_.default)
NORMALISING = (aten.sub.Tensor, aten.div.Tensor)
FEW = 2  # images
CONVOLUTION = ("maps", "weight", "bias", "stride", "padding", "dilation", "groups")  # arguments, in their order
DEFAULTS: dict[str, Any] = {"bias": None, "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}


@dataclass
class Step:
    """A convolution and what of this follows it and only it: its norm, a sum with another map, a ReLU.

    `weight` and `bias` are those of convolution and norm together; `nodes` are all of them, in their order.
    """

    maps: fx.Node
    weight: torch.Tensor
    bias: torch.Tensor | None
    settings: Settings
    nodes: list[fx.Node]
    other: fx.Node | None = None
    relu: bool = False

    @property
    def end(self) -> fx.Node:
        """The node whose result the step's is."""
        return self.nodes[-1]


Make = Callable[[Step], nn.Module]


def rewritten(graph: nn.Module, sample: torch.Tensor, make: Make) -> fx.GraphModule:
    """A graph of one argument, images, with what `make` makes in the place of every step.

    `sample` has the shape of images and their order in memory, whatever their number.
    """
    from torch.export import Dim, export  # a tenth of a second, which other engines need not wait for

    with torch.no_grad():
        module = export(graph, (sample,), dynamic_shapes=({0: Dim("galaxies")},)).module()
    assert isinstance(module, fx.GraphModule)
    for node in list(module.graph.nodes):
        if node.target is aten.conv2d.default:
            arguments = DEFAULTS | dict(zip(CONVOLUTION, node.args, strict=False))
            if _plain(node, arguments["maps"]) and _known(arguments["weight"], arguments["bias"]):
                _replace(module, _step(module, node, arguments), make)
    _begin_with_few(module)
    module.graph.eliminate_dead_code()  # weights that have gone into others
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _plain(*maps: fx.Node) -> bool:
    """Whether these are maps (N, C, H, W) in float32."""
    values = [node.meta["val"] for node in maps]
    return all(value.dtype == torch.float32 and value.ndim == 4 for value in values)


def _known(*values: Any) -> bool:
    """Whether these are weights as they were trained, or left out."""
    return all(value is None or (isinstance(value, fx.Node) and value.op == "get_attr") for value in values)


def _tensor(module: nn.Module, value: Any) -> Any:
    """The weights that a node stands for, or None."""
    return None if value is None else reduce(getattr, value.target.split("."), module)


def _step(module: nn.Module, node: fx.Node, arguments: dict[str, Any]) -> Step:
    stride, padding, dilation = (tuple(arguments[name]) for name in ("stride", "padding", "dilation"))
    weight, bias = _tensor(module, arguments["weight"]), _tensor(module, arguments["bias"])
    step = Step(arguments["maps"], weight, bias, Settings(stride, padding, dilation, arguments["groups"]), [node])
    _take_norm(module, step)
    _take_sum(step)
    following = _next(step)
    if following is not None and following.target in RELUS:
        step.relu = True
        step.nodes.append(following)
    return step


def _next(step: Step) -> fx.Node | None:
    """What alone follows the end of a step, unless a map is altered in place before it: the step is done there."""
    if len(step.end.users) != 1:
        return None
    following = next(iter(step.end.users))
    between = step.end.next
    while between is not following:
        if _may_alter(between):
            return None
        between = between.next
    return following


def _may_alter(node: fx.Node) -> bool:
    """Whether a node may alter a map in place: an operator that says so, or one that runs a graph of its own."""
    schema = getattr(node.target, "_schema", None)
    return isinstance(node.target, HigherOrderOperator) if schema is None else schema.is_mutable


def _take_norm(module: nn.Module, step: Step) -> None:
    norm = _next(step)
    if norm is None or norm.target is not aten.batch_norm.default or not _known(*norm.args[1:5]):
        return
    _, scale, offset, mean, variance, of_batch, _, epsilon, *_ = (*norm.args,)
    if of_batch or mean is None:  # it works out statistics of its own
        return
    scale, offset, mean, variance = (_tensor(module, value) for value in (scale, offset, mean, variance))
    factor = (variance.double() + epsilon).rsqrt() * (1 if scale is None else scale)
    start = -mean if step.bias is None else step.bias - mean
    step.bias = (start * factor + (0 if offset is None else offset)).float()
    step.weight = (step.weight * factor[:, None, None, None]).float()
    step.nodes.append(norm)


def _take_sum(step: Step) -> None:
    total = _next(step)
    if total is None or total.target not in SUMS or total.kwargs:
        return
    first, second = total.args
    if step.end is second and total.target is aten.add.Tensor:  # in place, it is the other map that would be altered
        first, second = second, first
    if first is not step.end or second is first or not isinstance(second, fx.Node):
        return
    if _plain(second) and _shape(second) == _shape(step.end):
        step.other = second
        step.nodes.append(total)


def _shape(node: fx.Node) -> tuple[Any, ...]:
    return tuple(node.meta["val"].shape)


def _replace(module: fx.GraphModule, step: Step, make: Make) -> None:
    name = f"{step.end.name}_step"
    module.add_submodule(name, make(step))
    with module.graph.inserting_after(step.end):
        made = module.graph.call_module(name, (step.maps,) if step.other is None else (step.maps, step.other))
    made.meta["val"] = step.end.meta["val"]
    step.end.replace_all_uses_with(made)
    for node in reversed(step.nodes):
        module.graph.erase_node(node)


class _FewAtATime(nn.Module):
    """A part of a network, to which each image is one alone, for `FEW` images at a time."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps (N, K, H', W') of images (N, C, H, W)."""
        return torch.cat([self.part(few) for few in images.split(FEW)])


def _begin_with_few(module: fx.GraphModule) -> None:
    """Do what comes before the first pooling, and it, for few images at a time, where nothing else asks for it."""
    nodes = list(module.graph.nodes)
    pool = next((node for node in nodes if node.target is aten.max_pool2d.default), None)
    before = _before(pool) if pool is not None else []
    if pool is None or not all(_of_each_image(node) for node in before):
        return
    images = [node for node in before if node.op == "placeholder"]
    inner = [node for node in before if node.op not in ("placeholder", "get_attr")]
    if len(images) != 1 or not inner or any(set(node.users) - {*inner, pool} for node in inner):
        return
    part = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in (*before, pool):
        copies[node] = part.node_copy(node, copies.__getitem__)
    part.output(copies[pool])
    module.add_submodule("beginning", _FewAtATime(fx.GraphModule(module, part)))
    with module.graph.inserting_before(pool):
        made = module.graph.call_module("beginning", (images[0],))
    made.meta["val"] = pool.meta["val"]
    pool.replace_all_uses_with(made)
    for node in (pool, *reversed(inner)):
        module.graph.erase_node(node)


def _before(node: fx.Node) -> list[fx.Node]:
    """All that a node depends on, in the order of the graph."""
    found: set[fx.Node] = set()
    ahead = [node]
    while ahead:
        new = set(ahead.pop().all_input_nodes) - found
        found |= new
        ahead += new
    return [other for other in node.graph.nodes if other in found]


def _of_each_image(node: fx.Node) -> bool:
    """Whether a node is known to do with each image what it would do with it alone; weights are the same for all."""
    return node.op in ("placeholder", "get_attr", "call_module") or node.target in NORMALISING
