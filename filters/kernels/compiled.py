"""How kernels are compiled: `@kernel` in place of numba's `@njit`.

`nogil`: threads run kernels side by side. `cache`: compiled once per machine. `_nrt=False`: no reference counting of
arrays, so a kernel may not allocate or return one. With it, each call of one kernel by another costs atomic increments and
decrements of every array passed: without it `text_facts` ran 1.8 times as fast on English (PEPs), 2.6 times on Russian (PHP
manual), and `distinct_members` 4.5 times on both.
"""

from __future__ import annotations

from numba import njit

from filters.absent import absent

# numba imports scipy.linalg to see whether it is there, which takes up to half a CPU-second. Kernels that do linear algebra
# would still find it, when they are compiled.
with absent("scipy.linalg"):
    import numba.np.arraymath  # noqa: F401

# numba's annotations leave the underscore option out.
kernel = njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]

unchecked_kernel = njit(nogil=True, cache=True, _nrt=False, error_model="numpy")  # type: ignore[call-overload]
"""`@kernel` with numpy's error model: no test for a zero divisor before each division and remainder. For kernels whose tables
were checked to hold no such divisor."""

inlined_kernel = njit(nogil=True, cache=True, _nrt=False, forceinline=True)  # type: ignore[call-overload]
"""`@kernel` that is compiled into each kernel that calls it: for a few lines that are called for every character."""
