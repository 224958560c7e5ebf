"""Where compiled kernels are kept, and that each is compiled once, whatever number of processes need it at one time.

Invariant: what is cached depends on the sources alone, not on where they lie or when they were written: `kernels.FOLDER` is named
after their digest, so that checkouts and installations of one release share it. (numba's own locators take the path and the
time of the file: each checkout would compile its own.) A process that meets an uncached kernel holds a lock (flock) on it until
it is saved; others wait and load it. Kernels call each other in no circle, so nobody waits for one who waits for them. Where no
lock can be taken, and where the cache cannot be read or written, each process compiles for itself. Source: numba/core/caching.py,
which has numba learn all that it can compile before it looks: where every kernel is kept, that is needed for none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import caching
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompileResult

from filters import kernels

COMPILER: str = numba.__version__
"""Another one reads nothing of what this one kept."""
_UNUSABLE = OSError, EOFError, caching.pickle.UnpicklingError  # type: ignore[attr-defined]
"""What a folder that is not ours, a full disk or a file that was cut short raises."""


class _Locator(_CacheLocator):  # type: ignore[misc]  # numba has no types
    """`<FOLDER>/<module>`."""

    def __init__(self, function: FunctionType, file: str) -> None:
        self._py_file, self._module, self._line = file, function.__module__, function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(Path(kernels.FOLDER or "") / self._module)

    def get_source_stamp(self) -> str:
        return kernels.DIGEST

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: FunctionType, file: str) -> _Locator:
        return cls(function, file)


class _Loaded(JITCodeLibrary):  # type: ignore[misc]
    """The machine code of a kept kernel. LLVM's code beside it is for kernels that call this one, and is parsed where one of them
    is compiled: numba parses it always, which takes 0.13 of a start's 0.97 CPU-seconds (`make bench B=tricks`)."""

    def __init__(self, codegen: Any, kept: tuple[str, str, tuple[bytes, bytes]]) -> None:
        name, _, (machine, self._linked) = kept
        super().__init__(codegen, name)  # type: ignore[no-untyped-call]
        self.enable_object_caching()  # type: ignore[no-untyped-call]
        self._set_compiled_object(machine)  # type: ignore[no-untyped-call]
        self._finalize_final_module()  # type: ignore[no-untyped-call]

    def get_pointer_to_function(self, name: str) -> int:
        return self._codegen._engine.get_function_address(name)  # type: ignore[no-any-return]

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            self._shared_module = llvm.parse_bitcode(self._linked)
        return self._shared_module


class _Form(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # type: ignore[assignment]  # noqa: RUF012

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """As `CompileResult._rebuild`, with `_Loaded`."""
        kept, description, environment, signature, objectmode, lifted, annotation, reload_init, environments = payload
        for run in reload_init:
            run()
        library = _Loaded(target_context.codegen(), kept)
        entry = target_context.get_executable(library, description, environment)
        for one in environments:
            library.codegen.set_env(one.env_name, one)
        result: Any = CompileResult  # typed as a tuple whose fields nobody knows
        return result(
            target_context=target_context,
            typing_context=target_context.typing_context,
            library=library,
            environment=environment,
            entry_point=entry,
            fndesc=description,
            type_annotation=annotation,
            signature=signature,
            objectmode=objectmode,
            lifted=lifted,
            typing_error=None,
            call_helper=None,
            metadata=None,
            reload_init=reload_init,
            referenced_envs=environments,
        )


class Overloads(FunctionCache):  # type: ignore[misc]
    """The cache of one kernel."""

    _impl_class = _Form

    def __init__(self, function: FunctionType) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._held: int | None = None

    def load_overload(self, signature: Any, context: Any) -> Any:
        found = self._read(signature, context)
        if found is None and self._held is None:
            self._hold()
            found = self._read(signature, context)  # another may have made it
            if found is not None:
                self._release()
        return found

    def save_overload(self, signature: Any, made: Any) -> None:
        try:
            super().save_overload(signature, made)  # type: ignore[no-untyped-call]
        except _UNUSABLE:
            return
        finally:
            self._release()

    def _read(self, signature: Any, context: Any) -> Any:
        try:
            return self._load_overload(signature, context)  # type: ignore[no-untyped-call]
        except _UNUSABLE:
            return None

    def _hold(self) -> None:
        with contextlib.suppress(OSError):
            Path(self.cache_path).mkdir(parents=True, exist_ok=True)
            path = Path(self.cache_path) / f"{self._impl.filename_base}.lock"
            self._held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX)

    def _release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None
