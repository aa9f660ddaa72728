"""nettool's command line, left at the end of its first step: `python first_step.py train CONFIG` exits with 42.

An import hook wraps `fit` as its module is loaded, so that everything before it happens in nettool's own order.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

HOME = "nettool.training.loop"
LEFT = 42


class LeaveAfterFirstYield(importlib.abc.MetaPathFinder):
    """Finds the module of `fit` once, and replaces `fit` in it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The usual spec, with a loader that changes the module after it was executed."""
        if name != HOME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_wrap(module: ModuleType) -> None:
            execute(module)
            fit = module.fit

            def leave_after_first_yield(*arguments: object) -> NoReturn:
                next(iter(fit(*arguments)))
                os._exit(LEFT)

            module.fit = leave_after_first_yield  # type: ignore[attr-defined]

        spec.loader.exec_module = execute_and_wrap  # type: ignore[method-assign]
        return spec


if __name__ == "__main__":
    sys.meta_path.insert(0, LeaveAfterFirstYield())
    from nettool_cli.main import command

    command()
