"""How much work a kernel does: the lines of its plain Python that it runs, which no other process and no machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher


def lines_run(call: Callable[[], Any], *modules: ModuleType) -> int:
    """Lines of these modules of kernels that `call` runs, with none of them compiled."""
    count = 0
    files = {module.__file__ for module in modules}

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        count += event == "line"
        return step

    with pytest.MonkeyPatch.context() as patched, np.errstate(over="ignore"):
        for module in modules:
            for name, value in list(vars(module).items()):
                if isinstance(value, Dispatcher):
                    patched.setattr(module, name, value.py_func)
        before = sys.gettrace()
        sys.settrace(step)
        try:
            call()
        finally:
            sys.settrace(before)
    return count
