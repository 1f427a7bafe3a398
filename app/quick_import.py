"""Gradio imported without what it does for editors alone, which takes as long as a good part of all the rest."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

_WRITER = "gradio.component_meta"


class _WithoutStubs(MetaPathFinder):
    """Finds the module that writes the stubs, once, and takes the writing out of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, whose loader takes the function out; None for every other module."""
        if fullname != _WRITER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def leave_out_stubs() -> None:
    """Keep Gradio, which is about to be imported, from writing a stub beside each of its components for editors: it parses their source for
    that at every start."""
    if _WRITER not in sys.modules and not any(isinstance(each, _WithoutStubs) for each in sys.meta_path):
        sys.meta_path.insert(0, _WithoutStubs())
