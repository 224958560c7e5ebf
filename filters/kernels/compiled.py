"""How kernels are compiled: `@kernel` in place of numba's `@njit`, `@inner_kernel` for what only kernels call.

`nogil`: threads run kernels side by side. Kept: compiled once per user (`overloads`). `_nrt=False`: no reference counting of
arrays, so a kernel may not allocate or return one. With it, each call of one kernel by another costs atomic increments and
decrements of every array passed: without it `text_facts` ran 1.8 times as fast on English (PEPs), 2.6 times on Russian (PHP
manual), and `distinct_members` 4.5 times on both.

What only kernels call is compiled into each of them, so that it needs no file in the cache, and no wrapper: those are two
thirds of the time that a small function takes (120 ms of CPU to 43).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numba import njit

from filters import kernels
from filters.kernels.linking import KernelCompiler
from filters.kernels.overloads import Overloads

Array: TypeAlias = np.ndarray
Int: TypeAlias = Any
Float: TypeAlias = Any
Bool: TypeAlias = Any
"""What kernels are given and give: numba infers which of Python's and numpy's types a number has."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiler(**options: Any) -> Callable[[_Function], _Function]:
    """A decorator that leaves the function's type to see."""
    made: Callable[[_Function], _Function] = njit(  # type: ignore[call-overload]  # its annotations leave some of these options out
        nogil=True, _nrt=False, no_cfunc_wrapper=True, pipeline_class=KernelCompiler, **options
    )
    return made


def _kept(**options: Any) -> Callable[[_Function], _Function]:
    """`_compiler` of kernels whose machine code is kept, in our folder or in the one that the user set."""
    if kernels.FOLDER is None:
        return _compiler(cache=True, **options)
    compiler = _compiler(**options)

    def made(function: _Function) -> _Function:
        dispatcher: Any = compiler(function)
        if hasattr(dispatcher, "py_func"):  # not where numba is switched off (NUMBA_DISABLE_JIT)
            dispatcher._cache = Overloads(dispatcher.py_func)
        return dispatcher  # type: ignore[no-any-return]

    return made


kernel = _kept()

inner_kernel = _compiler(no_cpython_wrapper=True)
"""`@kernel` of what Python does not call: it cannot."""

unchecked_kernel = _kept(error_model="numpy")
"""`@kernel` with numpy's error model: no test for a zero divisor before each division and remainder. For kernels whose tables
were checked to hold no such divisor."""

inner_unchecked_kernel = _compiler(no_cpython_wrapper=True, error_model="numpy")
"""`@unchecked_kernel` of what Python does not call."""

inlined_kernel = _compiler(no_cpython_wrapper=True, forceinline=True)
"""`@inner_kernel` that is compiled into each kernel that calls it: for a few lines that are called for every character."""

inlined_unchecked_kernel = _compiler(no_cpython_wrapper=True, error_model="numpy", forceinline=True)
"""`@inlined_kernel` with numpy's error model. A model's tables are some 30 arrays: a call that is not inlined copies them all,
which took a quarter of the time of fastText's prediction."""
