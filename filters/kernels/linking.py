"""What LLVM is asked to do: each function's code is translated once, and optimised once in each kernel that Python calls.

numba optimises each function, with all that it calls, and makes machine code of it, then does so again in each function that
calls it. Nobody runs what only kernels call but from within them, so those hand on their code as it was written; a kernel links
all that it calls, directly or not, and is optimised as a whole, in one pass instead of two (the first is for counting
references, and kernels count none). From an empty cache `default@1` took 47 CPU-seconds with numba's own order, 31 so;
kernels run as fast (`make bench B=kernels`).

Invariant: a function stands before those that it calls in the order of linking: LLVM drops a shared function that nothing has
referred to yet. Source: numba/core/codegen.py, `CPUCodeLibrary`.
"""

from __future__ import annotations

import sys
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes

from filters.kernels import inference
from filters.kernels.absent import absent


class _Whole(JITCodeLibrary):  # type: ignore[misc]  # numba has no types
    """The code of a kernel that Python calls, and of all that it calls."""

    def finalize(self) -> None:
        _link(self, self._final_module)
        self._linking_libraries = []
        super().finalize()  # type: ignore[no-untyped-call]

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        manager, builder = self._codegen._module_pass_manager()
        manager.run(self._final_module, builder)


class _Part(_Whole):
    """The code of a function that only kernels call: linked, never run."""

    def finalize(self) -> None:
        self._raise_if_finalized()  # type: ignore[no-untyped-call]
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True

    def own_module(self) -> Any:
        return super()._get_module_for_linking()  # type: ignore[no-untyped-call]

    def _get_module_for_linking(self) -> Any:
        """With all that it calls, for a caller that numba compiles in its own way."""
        module = self.own_module().clone()
        _link(self, module)
        return module

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Nothing: what Python needs beside a function that it calls."""


def _link(library: Any, module: Any) -> None:
    """Into `module`, of this library, all that it needs."""
    for needed in _callers_first(library._linking_libraries):
        library._reload_init.update(needed._reload_init)
        linked = needed.own_module() if isinstance(needed, _Part) else needed._get_module_for_linking()
        module.link_in(linked, preserve=True)


def _callers_first(linked: list[Any]) -> list[Any]:
    """All that `linked` libraries need, each once, before what it needs itself."""
    met: dict[Any, None] = {}

    def add(library: Any) -> None:
        if library not in met:
            if isinstance(library, _Part):
                for needed in library._linking_libraries:
                    add(needed)
            met[library] = None  # behind what it needs, so the order is turned at the end

    for library in linked:
        add(library)
    return list(met)[::-1]


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):  # type: ignore[misc]
    _name = "kernel_lowering"

    def run_pass(self, state: Any) -> bool:
        made = _Part if state.flags.no_cpython_wrapper else _Whole
        state["library"] = made(state.targetctx.codegen(), state.func_id.func_qualname)  # type: ignore[no-untyped-call]
        state["library"].enable_object_caching()
        done: bool = super().run_pass(state)  # type: ignore[no-untyped-call]
        return done


class KernelCompiler(Compiler):  # type: ignore[misc]
    """numba's compiler with `_Lowering` in place of its own, without the passes that look for what kernels do not have: array
    expressions and functions within functions (they fail to compile)."""

    def __init__(self, *arguments: Any) -> None:
        # numba imports scipy.linalg to see whether it is there: 0.11 CPU-seconds (`make bench B=tricks`). No kernel does linear
        # algebra. Where all kernels are kept, this module is not imported.
        if "numba.np.arraymath" not in sys.modules:  # other threads may import scipy while others are compiled
            with absent("scipy"):
                import numba.np.arraymath  # noqa: F401
        super().__init__(*arguments)  # type: ignore[no-untyped-call]

    def define_pipelines(self) -> list[PassManager]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        taken = [(step, why) for step, why in passes.passes if step not in {InlineClosureLikes, NopythonRewrites}]
        passes.passes = [(_Lowering if step is NativeLowering else step, why) for step, why in taken]
        passes.finalize()  # type: ignore[no-untyped-call]
        return [passes]

    def _compile_core(self) -> Any:
        with inference.kept():
            return super()._compile_core()  # type: ignore[no-untyped-call]
