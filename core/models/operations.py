"""The operations of a forward pass, written down as they happen and walked back from what they made.

Only sums are walked through, and what leaves a sum a sum: factors that are the same along the width, and changes of shape or dtype. What is
anything else (a norm, an activation, a gain along the width) ends a walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, empty, nn
from torch.overrides import TorchFunctionMode

# fmt: off
#: An activation of a few tokens has no more rows than this; what has more is a weight, which is not kept alive.
_MOST_ROWS = 4096
# Operations by their names in torch. The result is the sum of what they get:
_SUMS = {
    "add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__isub__", "rsub", "__rsub__",
    "where", "index_add", "index_add_", "scatter_add", "scatter_add_", "__setitem__", "stack", "cat", "concat",
    "index_copy_", "copy_",
}
# ... scaled, where the factor is the same along the width:
_PRODUCTS = {
    "mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply", "div", "div_", "__truediv__", "__itruediv__",
}
# ... the same numbers elsewhere, or some of them, or sums of them over tokens and experts:
_MOVES = {
    "view", "reshape", "clone", "contiguous", "to", "float", "half", "bfloat16", "double", "type", "type_as",
    "unsqueeze", "squeeze", "dropout", "detach", "__getitem__", "index_select", "flatten", "unflatten", "expand",
    "data", "requires_grad_", "sum", "mean", "chunk", "split", "unbind", "repeat", "masked_fill", "masked_fill_",
    "view_as", "expand_as", "embedding", "transpose", "permute", "movedim", "swapaxes", "select", "cpu", "cuda",
    "index_put", "take_along_dim", "gather",
}
# ... a matrix turned round:
_TURNS = {
    "t", "T", "mT", "transpose", "swapaxes",
}
# ... the last of two factors mixed along other axes:
_MATMULS = {
    "matmul", "__matmul__", "mm", "bmm", "linear", "addmm", "baddbmm",
}
_ZEROS = {
    "zeros", "zeros_like", "new_zeros", "zero_", "empty", "empty_like", "new_empty",
}
#: The axis of a tensor that is the stream's, counted from the end: an activation's last, and that of a matrix which is turned.
WIDTH, _TURNED = -1, -2
# fmt: on


@dataclass(eq=False)
class Recorded:
    """A tensor of the pass: the operation that made it, what that got, and the outermost module that returned it."""

    name: str
    tensor: Tensor
    given: tuple[Any, ...] = ()
    module: nn.Module | None = None
    weight: str = ""


@dataclass(frozen=True)
class Weight:
    """A matrix, or bias, that writes to the stream; ``axis`` is the one that is the stream's, counted from the end."""

    name: str
    axis: int


class Recorder(TorchFunctionMode):
    """Writes down what makes every activation as wide as the stream; with ``names`` of weights, also what is made of these."""

    def __init__(self, width: int, names: dict[int, str]) -> None:
        super().__init__()
        self.width, self.names = width, names
        self.nodes: dict[int, Recorded] = {}

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        given = (*args, *(kwargs or {}).values())
        if name == "__setitem__":
            self.note(name, (args[0], args[2]), args[0])
        else:
            for each in result if isinstance(result, tuple | list) else (result,):
                if isinstance(each, Tensor):
                    self.note(name, given, each)
        return result

    def node(self, tensor: Tensor) -> Recorded:
        """The node of a tensor; of one that was not written down, a new one without a past."""
        found = self.nodes.get(id(tensor))
        return found or Recorded("", tensor if self._kept(tensor) else _MARK, weight=self.names.get(id(tensor), ""))

    def start(self, tensor: Tensor) -> Recorded:
        """Forget everything; the tensor's new node is where walks end."""
        made = Recorded("", tensor)
        self.nodes = {id(tensor): made}
        return made

    def _kept(self, tensor: Tensor) -> bool:
        # What comes of weights has to be known only if these are asked for; kept alive it would take their room again.
        return bool(self.names) or tensor.numel() <= _MOST_ROWS * self.width

    def note(self, name: str, given: tuple[Any, ...], result: Tensor) -> None:
        """Write down that an operation of torch's made ``result`` of what was given to it."""
        if not result.is_floating_point() or not self._kept(result):
            self.nodes.pop(id(result), None)
            return
        flat = [each for one in given for each in (one if isinstance(one, tuple | list) else (one,))]
        nodes = tuple(self.node(each) if isinstance(each, Tensor) else each for each in flat)
        self.nodes[id(result)] = Recorded(name, result, nodes)

    def parts(self, node: Recorded, axis: int) -> list[tuple[Recorded, int]] | None:
        """What a tensor is a sum of, each with the axis that is the stream's; None where it is anything else."""
        floats = [each for each in node.given if isinstance(each, Recorded) and each.tensor.is_floating_point()]
        wide = [each for each in floats if self._wide(each, axis)]
        name = node.name
        if name in _ZEROS:
            return []
        if name in _MATMULS and axis == WIDTH:
            summed, factor = ([], floats[1]) if "add" not in name else (floats[:1], floats[2])
            turned = _TURNED if name == "linear" else WIDTH
            summed += floats[2:] if name == "linear" else []
            return [(each, WIDTH) for each in summed] + [(factor, turned)] if self._wide(factor, turned) else None
        if name in _TURNS and floats and self._wide(floats[0], WIDTH + _TURNED - axis):
            # A weight; an activation's last axis stays where it is.
            flipped = floats[0].tensor.shape[-2:][::-1] == node.tensor.shape[-2:]
            return [(floats[0], WIDTH + _TURNED - axis if flipped else axis)]
        if name in _SUMS:
            return [(each, axis) for each in wide] if len(wide) == len(floats) else None
        if name in _PRODUCTS:
            if len(wide) != 1 or (wide[0] is not floats[0] and "div" in name):
                return None
            # A norm without a gain scales by what it is given itself, which is no sum any more.
            return None if any(_depends(each, wide[0]) for each in floats if each is not wide[0]) else [(wide[0], axis)]
        return (
            [(wide[0], axis)]
            if name in _MOVES and wide and wide[0] is floats[0 if name != "embedding" else -1]
            else None
        )

    def _wide(self, node: Recorded, axis: int) -> bool:
        return node.tensor.dim() >= -axis and node.tensor.shape[axis] == self.width


def _depends(node: Recorded, on: Recorded) -> bool:
    """Whether a tensor was computed from another."""
    seen: set[Recorded] = set()
    ahead = [node]
    while ahead:
        each = ahead.pop()
        if each is on:
            return True
        if each not in seen:
            seen.add(each)
            ahead += [given for given in each.given if isinstance(given, Recorded)]
    return False


#: Stands for a tensor that was not kept.
_MARK = empty(0)


class Walk:
    """Walks back from one tensor, as far as the stream."""

    def __init__(self, recorder: Recorder, stream: Recorded | None) -> None:
        self.recorder, self.stream = recorder, stream
        self._holding: dict[tuple[Recorded, int], bool] = {}

    def holds(self, node: Recorded, axis: int) -> bool:
        """Whether the stream is among what a tensor is a sum of."""
        key = (node, axis)
        if key not in self._holding:
            self._holding[key] = node is self.stream or any(
                self.holds(each, at) for each, at in self.recorder.parts(node, axis) or ()
            )
        return self._holding[key]

    def modules(self, node: Recorded, found: dict[nn.Module, None]) -> bool:
        """Collect the outermost modules that write; whether they are all."""
        if node is self.stream:
            return True
        if node.module is not None and not self.holds(node, WIDTH):
            found[node.module] = None
            return True
        parts = self.recorder.parts(node, WIDTH)
        return parts is not None and _every(self.modules(each, found) for each, _ in parts)

    def weights(self, node: Recorded, axis: int, found: set[Weight]) -> bool:
        """Collect the weights that write; whether they are all."""
        if node is self.stream:
            return True
        if node.weight:
            found.add(Weight(node.weight, axis))
            return True
        parts = self.recorder.parts(node, axis)
        return parts is not None and _every(self.weights(each, at, found) for each, at in parts)


def _every(found: Iterable[bool]) -> bool:
    """Whether all are true, once all have been looked at."""
    return min(list(found), default=True)
