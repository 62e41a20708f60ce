"""A network's graph with every convolution, its norm, a factor, a sum and the activation after it made one step.

Where a pooling follows, as it does at the beginning of most networks, it goes with them, and so does what is done to
the images before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import fx, nn
from torch._ops import HigherOrderOperator

from tuningfork_fused.convolution import Direct, Filtered
from tuningfork_fused.pool import ThreadPool
from tuningfork_fused.stem import Stem
from tuningfork_fused.step import FLOORS, Pooling, Settings, Step

aten = torch.ops.aten
RESHAPES = (aten.reshape.default, aten.view.default)
SUMS = (aten.add.Tensor, aten.add_.Tensor)
ACTIVATIONS: dict[Any, str] = {
    aten.relu.default: "relu",
    aten.relu_.default: "relu",
    aten.gelu.default: "gelu",
    aten.silu.default: "swish",
    aten.silu_.default: "swish",
}
CONVOLUTION = ("maps", "weight", "bias", "stride", "padding", "dilation", "groups")  # arguments, in their order
POOLING: tuple[Any, ...] = (None, None, [], [0, 0], [1, 1], False)  # its arguments, where they are left out
DEFAULTS: dict[str, Any] = {"bias": None, "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}


@dataclass
class Found:
    """A step in a graph: the maps it works on, the other map that is added, and its nodes in their order.

    But for the last, nothing else looks at what these make.
    """

    step: Step
    maps: fx.Node
    nodes: list[fx.Node]
    other: fx.Node | None = None

    @property
    def end(self) -> fx.Node:
        """The node whose result the step's is."""
        return self.nodes[-1]


def rewritten(graph: nn.Module, sample: torch.Tensor, pool: ThreadPool) -> fx.GraphModule:
    """A graph of one argument, images, whose steps are each done at once, by threads of the pool where it can be.

    `sample` has the shape of images and their order in memory, whatever their number.
    """
    from torch.export import Dim, export  # a tenth of a second, which other engines need not wait for

    with torch.no_grad():
        module = export(graph, (sample,), dynamic_shapes=({0: Dim("galaxies")},)).module()
    assert isinstance(module, fx.GraphModule)
    _leave_out_dropout(module)
    for node in list(module.graph.nodes):
        if node.target is aten.conv2d.default:
            arguments = DEFAULTS | dict(zip(CONVOLUTION, node.args, strict=False))
            if _plain(node, arguments["maps"]) and _known(arguments["weight"], arguments["bias"]):
                _replace(module, _find(module, node, arguments), pool)
    _spare_memory(module)
    module.graph.eliminate_dead_code()  # weights that have gone into others
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _leave_out_dropout(module: fx.GraphModule) -> None:
    """It does nothing to a network that is not trained, and would stand between a step and what follows."""
    for node in list(module.graph.nodes):
        if node.target is aten.dropout.default and not node.args[2]:
            node.replace_all_uses_with(node.args[0])
            module.graph.erase_node(node)


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


def _find(module: nn.Module, node: fx.Node, arguments: dict[str, Any]) -> Found:
    stride, padding, dilation = (tuple(arguments[name]) for name in ("stride", "padding", "dilation"))
    settings = Settings(stride, padding, dilation, arguments["groups"])
    step = Step(_tensor(module, arguments["weight"]), _tensor(module, arguments["bias"]), settings)
    found = Found(step, arguments["maps"], [node])
    _take_norm(module, found)
    _take_factor(module, found)
    _take_sum(found)
    _take_activation(found)
    if Stem.fits(step) and found.other is None and not Filtered.fits(step):
        _take_pooling(found)
    if step.pooling is not None:
        _take_scaling(module, found)
    return found


def _next(found: Found) -> fx.Node | None:
    """What alone follows the end of a step, unless a map is altered in place before it: the step is done there."""
    return _alone_after(found.end)


def _alone_after(node: fx.Node) -> fx.Node | None:
    if len(node.users) != 1:
        return None
    following = next(iter(node.users))
    between = node.next
    while between is not following:
        if _may_alter(between):
            return None
        between = between.next
    return following


def _may_alter(node: fx.Node) -> bool:
    """Whether a node may alter a map in place: an operator that says so, or one that runs a graph of its own."""
    schema = getattr(node.target, "_schema", None)
    return isinstance(node.target, HigherOrderOperator) if schema is None else schema.is_mutable


def _take_norm(module: nn.Module, found: Found) -> None:
    norm, step = _next(found), found.step
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
    found.nodes.append(norm)


def _take_factor(module: nn.Module, found: Found) -> None:
    """Have the weights take over a factor for each channel: a layer scale."""
    product, step = _next(found), found.step
    if product is None or product.target is not aten.mul.Tensor or product.kwargs or product.args[0] is not found.end:
        return
    factor = _constant(module, product.args[1])
    if factor is None or factor.shape != (1, len(step.weight), 1, 1) or not _plain(product):
        return
    step.weight = step.weight * factor.view(-1, 1, 1, 1)
    step.bias = None if step.bias is None else step.bias * factor.flatten()
    found.nodes.append(product)


def _constant(module: nn.Module, value: Any) -> torch.Tensor | None:
    """The weights that a node stands for, perhaps in another shape; None if it stands for anything else."""
    if not isinstance(value, fx.Node):
        return None
    if value.target in RESHAPES and _known(value.args[0]):
        weights: torch.Tensor = _tensor(module, value.args[0]).reshape(value.args[1])
        return weights
    return _tensor(module, value) if value.op == "get_attr" else None


def _take_activation(found: Found) -> None:
    following = _next(found)
    if following is None or following.kwargs or len(following.args) > 1:  # another kind of GELU
        return
    activation = ACTIVATIONS.get(following.target, "none")
    # oneDNN does no other after a sum; minimal filtering does no other, and is worth more.
    if activation in FLOORS or not (found.other or Filtered.fits(found.step)):
        found.step.activation = activation
        if activation != "none":
            found.nodes.append(following)


def _take_sum(found: Found) -> None:
    total = _next(found)
    if total is None or total.target not in SUMS or total.kwargs:
        return
    first, second = total.args
    if found.end is second and total.target is aten.add.Tensor:  # in place, it is the other map that would be altered
        first, second = second, first
    if first is not found.end or second is first or not isinstance(second, fx.Node):
        return
    if _plain(second) and _shape(second) == _shape(found.end):
        found.other = second
        found.nodes.append(total)


def _take_pooling(found: Found) -> None:
    pool = _next(found)
    if pool is None or pool.target is not aten.max_pool2d.default or pool.kwargs:
        return
    arguments: tuple[Any, ...] = (*pool.args, *POOLING[len(pool.args) :])
    _, window, stride, padding, dilation, whole = arguments
    sides = [tuple(side) for side in (window, stride or window, padding)]
    if all(len(set(side)) == 1 for side in sides) and set(dilation) == {1} and not whole:
        found.step.pooling = Pooling(*(side[0] for side in sides))
        found.nodes.append(pool)


def _take_scaling(module: nn.Module, found: Found) -> None:
    """Have the step take a mean from the images, and divide them by a standard deviation, where that is done before."""
    division = found.maps
    difference = _operand(division, aten.div.Tensor)
    images = difference and _operand(difference, aten.sub.Tensor)
    if difference is None or images is None or not _plain(images) or _shape(images) != _shape(division):
        return
    if _alone_after(division) is not found.nodes[0] or _alone_after(difference) is not division:
        return
    mean, deviation = (_tensor(module, node.args[1]) for node in (difference, division))
    channels = found.step.weight.shape[1]
    if mean.shape == deviation.shape == (1, channels, 1, 1):
        found.step.scaling = (mean.flatten(), deviation.flatten())
        found.maps, found.nodes = images, [difference, division, *found.nodes]


def _operand(node: fx.Node, target: Any) -> fx.Node | None:
    """The maps that this operator works on together with known numbers, if the node stands for that."""
    if node.target is not target or node.kwargs or not _known(node.args[1]) or node.args[1] is None:
        return None
    maps = node.args[0]
    return maps if isinstance(maps, fx.Node) else None


def _shape(node: fx.Node) -> tuple[Any, ...]:
    return tuple(node.meta["val"].shape)


def _replace(module: fx.GraphModule, found: Found, pool: ThreadPool) -> None:
    name = f"{found.end.name}_step"
    module.add_submodule(name, _layer(found.step, pool))
    with module.graph.inserting_after(found.end):
        made = module.graph.call_module(name, (found.maps,) if found.other is None else (found.maps, found.other))
    made.meta["val"] = found.end.meta["val"]
    found.end.replace_all_uses_with(made)
    for node in reversed(found.nodes):
        module.graph.erase_node(node)


def _layer(step: Step, pool: ThreadPool) -> nn.Module:
    if step.pooling is not None:
        return Stem(step, pool)
    return Filtered(step, pool) if Filtered.fits(step) else Direct(step)


def _spare_memory(module: fx.GraphModule) -> None:
    """Have a sum take the place of the map that is added, where a step has made that and none looks at it later."""
    order = {node: place for place, node in enumerate(module.graph.nodes)}
    layers = dict(module.named_modules())
    steps = {node: layers[node.target] for node in order if node.op == "call_module"}
    steps = {node: layer for node, layer in steps.items() if isinstance(layer, Direct | Filtered | Stem)}
    for node, layer in steps.items():
        if isinstance(layer, Direct | Filtered) and len(node.args) == 2:
            maps, other = node.args
            users = other.users if other in steps and other is not maps else [None]
            layer.overwrites = all(user in steps and order[user] <= order[node] for user in users)
