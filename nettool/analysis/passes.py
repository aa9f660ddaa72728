"""What goes into modules and what comes out of them in a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from nettool.model.stack import Lengths, Timed


@dataclass(frozen=True)
class Passed:
    """Of one module. before, after: int64 [batch], how many steps of input and output are real; None where all are."""

    input: Tensor
    output: Tensor
    before: Lengths
    after: Lengths


@contextmanager
def watching(modules: Iterable[nn.Module]) -> Iterator[dict[nn.Module, Passed]]:
    """Inside, what passes these modules is kept, the tensors themselves; one that no pass reaches has nothing.

    A layer is called, or, where it is to know the lengths of texts, told to `run`.
    """
    seen: dict[nn.Module, Passed] = {}

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen[module] = Passed(inputs[0], output, None, None)

    def watched(module: Timed) -> Callable[[Tensor, Lengths], tuple[Tensor, Lengths]]:
        run = module.run

        def run_and_keep(x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
            output, after = run(x, lengths)
            seen[module] = Passed(x, output, lengths, after)
            return output, after

        return run_and_keep

    modules = list(dict.fromkeys(modules))
    hooks = [module.register_forward_hook(hook) for module in modules]
    timed = [module for module in modules if isinstance(module, Timed)]
    try:
        for module in timed:
            module.run = watched(module)  # type: ignore[method-assign, assignment]
        yield seen
    finally:
        for each in hooks:
            each.remove()
        for module in timed:
            module.__dict__.pop("run", None)
