"""A kernel is compiled with all that it calls, once, and numba infers what it would infer by itself."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from numba import njit
from numba.core import types
from numba.core.compiler import Flags
from numba.core.registry import cpu_target
from numba.core.targetconfig import TargetConfig
from numba.core.types.functions import BaseFunction

from filters import kernels
from filters.kernels import inference, linking
from filters.kernels.compiled import inlined_kernel, inner_kernel, kernel

OWN = BaseFunction.get_call_type, TargetConfig.values


@inlined_kernel
def lowest(value: int) -> int:
    return value * 3


@inner_kernel
def low(values: np.ndarray, at: int) -> int:
    return lowest(values[at]) + 1


@inner_kernel
def middle(values: np.ndarray, at: int) -> int:
    return low(values, at) + lowest(at)


def top(values: np.ndarray) -> int:
    total = 0
    for at in range(len(values)):
        if values[at] < 0:
            raise ValueError("negative")
        total += low(values, at) + middle(values, at)
    return total


def test_functions_that_share_what_they_call_are_linked_and_optimised_once(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    optimised, optimise = [], linking._Whole._optimize_final_module
    monkeypatch.setattr(linking._Whole, "_optimize_final_module", lambda self: (optimised.append(self), optimise(self)))
    made = kernel(top)
    values = np.arange(5)
    assert made(values) == sum(3 * v + 1 + 3 * v + 1 + 3 * k for k, v in enumerate(values))
    assert len(optimised) == 1  # not `low`, `middle` or `lowest`, of which nobody runs a copy
    with pytest.raises(ValueError, match="negative"):
        made(values - 1)
    again = kernel(top)  # loaded, in which process whatever: those it calls are not there
    assert again(values) == made(values) and again.stats.cache_hits and len(optimised) == 1


def test_a_kept_kernel_is_linked_into_a_kernel_that_calls_it(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    values = np.arange(5)
    expected = kernel(top)(values)
    called = kernel(top)
    caller = njit(lambda array: called(array) + 1)
    assert caller(values) == expected + 1 and called.stats.cache_hits


def test_numba_s_own_compiler_links_what_an_inner_kernel_calls():
    assert njit(top)(np.array([5])) == 16 + 16


def test_a_library_stands_before_what_it_needs():
    codegen = cpu_target.target_context.codegen()
    a, b, c, d = (linking._Part(codegen, name) for name in "abcd")
    a._linking_libraries, b._linking_libraries, c._linking_libraries = [c, b], [d], [b, d]
    assert linking._callers_first([d, a, b]) == [a, c, b, d]


NUMBERS = (types.int64, types.uint64, types.uint8, types.float32, types.boolean, types.literal(3), types.literal(True))


@pytest.mark.parametrize("operation", [operator.add, operator.floordiv, operator.rshift, operator.lt, operator.iadd])
def test_kept_signatures_are_those_that_numba_finds(operation):
    context = cpu_target.typing_context
    context.refresh()
    function = context.resolve_value_type(operation)
    for one in NUMBERS:
        for other in NUMBERS:
            wanted = signature(function, (one, other))
            with inference.kept():
                assert (BaseFunction.get_call_type, TargetConfig.values) != OWN
                assert [signature(function, (one, other)) for _ in range(2)] == [wanted] * 2
    assert (BaseFunction.get_call_type, TargetConfig.values) == OWN


def signature(function, arguments):
    try:
        return function.get_call_type(cpu_target.typing_context, arguments, {})
    except Exception as error:
        return type(error)


def test_flags_have_the_values_that_were_set_and_the_defaults_of_the_rest():
    flags = Flags()
    assert inference._values(flags) == OWN[1](flags)
    flags.nrt, flags.error_model = True, "numpy"
    assert inference._values(flags) == OWN[1](flags) != OWN[1](Flags())
