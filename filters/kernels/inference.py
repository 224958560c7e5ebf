"""What numba works out again and again while it infers the types of a kernel, kept: a third of the time that it takes.

For each operator and each function of its own numba tries all its definitions, dozens of them, at each place of use; the answer
depends on the types of the arguments and on the compiler's flags alone. Flags are part of most of its keys, and are compared
option by option, each by a call.

Invariant: numba is led by this only while it compiles a kernel of ours, under its own lock, and is given what it would find.
Source: numba/core/types/functions.py, `BaseFunction`; numba/core/targetconfig.py, `TargetConfig`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from numba.core.targetconfig import ConfigStack, TargetConfig
from numba.core.types.functions import BaseFunction

_infer: Any = BaseFunction.get_call_type


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within the block numba looks up what it found before."""
    owners: tuple[Any, ...] = (BaseFunction, TargetConfig)
    before = BaseFunction.get_call_type, TargetConfig.values
    owners[0].get_call_type, owners[1].values = _call_type, _values
    try:
        yield
    finally:
        owners[0].get_call_type, owners[1].values = before


def _call_type(function: Any, context: Any, args: Any, named: Any) -> Any:
    """`get_call_type`: the signature of a call; a definition that is added later makes another `function`."""
    if named:
        return _infer(function, context, args, named)
    found = function.__dict__.setdefault("_found", {})
    key = (context, tuple(args), ConfigStack.top_or_none())  # type: ignore[no-untyped-call]
    if key not in found:
        found[key] = _infer(function, context, args, named)
    return found[key]


def _values(flags: Any) -> dict[str, Any]:
    """`values`: each option, as it was set or by default."""
    return {**_defaults(flags.__class__), **flags._values}


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    return {name: option.default for name, option in kind.options.items()}
