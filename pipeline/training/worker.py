"""Trains one fastText model: reads its settings as JSON from stdin, writes MODEL.bin and MODEL.ftz.

A program of its own, run by `fit.py`: fastText 0.9.3 reads memory that it has not initialised when it trains with one thread, and
only a new process, with GLIBC_TUNABLES set before it starts, gives it zeros there. Then the same input gives the same bytes.
"""

import json
import sys

NOT_INSTALLED = 3
"""Exit code where no fastText can be imported, or one that only predicts (the package fasttext-predict has the same module)."""


def main() -> None:
    asked = json.load(sys.stdin)
    try:
        import fasttext
    except ImportError:
        sys.exit(NOT_INSTALLED)
    if not hasattr(fasttext, "train_supervised"):
        sys.exit(NOT_INSTALLED)
    model = fasttext.train_supervised(asked["input"], thread=1, verbose=0, loss="softmax", **asked["train"])
    model.save_model(f"{asked['output']}.bin")
    if asked["cutoff"]:
        model.quantize(input=asked["input"], cutoff=asked["cutoff"], qnorm=True, dsub=2, thread=1, verbose=0)
        model.save_model(f"{asked['output']}.ftz")


if __name__ == "__main__":
    main()
