"""An engine without a cluster: functions, items, results and errors go through pickle, as they would between machines."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Pickling:
    """See `pipeline.run.cluster.engine.Engine`. Futures are pickled calls; they run when their turn comes."""

    address = "nowhere"

    def __init__(self) -> None:
        self.cancelled: list[Any] = []
        self.begun: list[str] = []
        self.largest = 0

    def submit(self, function: Callable[[Any], Any], item: Any, *, stage: str, name: str) -> tuple[str, bytes]:
        made = pickle.dumps((function, item))
        self.largest = max(self.largest, len(made))
        return f"{stage} {name}", made

    def ended(self, futures: Sequence[Any]) -> Iterator[int]:
        yield from range(len(futures))

    def result(self, future: tuple[str, bytes]) -> Any:
        name, made = future
        self.begun.append(name)
        function, item = pickle.loads(made)
        try:
            found = function(item)
        except Exception as error:
            raise pickle.loads(pickle.dumps(error)) from None
        return pickle.loads(pickle.dumps(found))

    def cancel(self, futures: Sequence[Any]) -> Sequence[int]:
        self.cancelled += futures
        return ()
