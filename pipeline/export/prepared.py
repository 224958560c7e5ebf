"""A request for an export, and all that is known of it before anything is tokenised or written."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pipeline.errors import UsageError
from pipeline.export import documents, pieces, shards, target
from pipeline.export.content import Content
from pipeline.export.documents import Chosen, Counted, Piece
from pipeline.export.formats import FORMATS
from pipeline.export.formats.contract import Format
from pipeline.export.mix import Wanted
from pipeline.export.pieces import Sorting
from pipeline.export.target import Target
from pipeline.export.tokenizer import load
from pipeline.inspect.output import Output, open_output_of
from pipeline.output import layouts, manifest

SEQUENCE = 4096
"""Tokens of a packed sequence, where nobody says."""
LONGEST_SEQUENCE = 1 << 24


@dataclass(frozen=True)
class Request:
    """What is asked for. `validation`: the share of documents that are held out."""

    output: str
    to: str
    format: str
    tokenizer: str | None
    eos: str | None
    mix: Wanted
    seed: int = 0
    shards: int = 1
    sequence: int | None = None
    validation: Fraction = Fraction(0)
    workers: int = 1


@dataclass(frozen=True)
class Prepared:
    """A request that was looked at: all that is known before anything is tokenised or written. `newest`: the manifest."""

    request: Request
    output: Output
    newest: int
    kind: Format
    sorting: Sorting
    pieces: tuple[Piece, ...]
    counted: tuple[Counted, ...]
    target: Target

    @property
    def content(self) -> Content:
        return self.sorting.content

    @property
    def sequence(self) -> int:
        """Tokens of a sequence, in formats that have them."""
        return self.request.sequence or SEQUENCE

    @property
    def how(self) -> Chosen:
        return self.sorting.chosen


def prepare(request: Request) -> Prepared:
    """Raises UsageError and its kin for all that can be told at once."""
    kind = FORMATS[request.format]
    _check(request, kind)
    output = open_output_of(request.output)
    tokenizer = load(request.tokenizer, request.eos) if request.tokenizer else None
    how = documents.chosen(request.mix, seed=request.seed, validation=request.validation)
    there = documents.pieces(output)
    content = Content(tokenizer, kind.lines, documents.columns(output, there), layouts.of_output(output.live))
    counted = documents.survey(output, there, how)
    sorting = Sorting(how, content, pieces.buckets_for(sum(one.n_bytes for one in counted)))
    newest = manifest.load_all(output.store)[-1].generation
    if sum(one.documents for one in counted) < request.shards:
        raise UsageError(f"--shards {request.shards}: more than the documents that there are; an empty shard stops trainers")
    return Prepared(request, output, newest, kind, sorting, there, counted, target.open_target(request.to))


def _check(request: Request, kind: Format) -> None:
    if request.tokenizer is None and not kind.lines:
        raise UsageError(f"export {kind.name}: name the --tokenizer that the model is trained with")
    if request.tokenizer is None and request.mix.budget is not None:
        raise UsageError("--tokens counts tokens: name the --tokenizer that counts them")
    if request.tokenizer is None and request.eos is not None:
        raise UsageError("--eos is a token: name the --tokenizer that has it")
    if request.sequence is not None and not kind.sequences:
        raise UsageError(f"--sequence: {kind.name} has no sequences; a trainer cuts its own. It is for packed")
    if request.sequence is not None and not 1 <= request.sequence <= LONGEST_SEQUENCE:
        raise UsageError(f"--sequence {request.sequence}: expected 1 to {LONGEST_SEQUENCE:,} tokens")
    if not 0 <= request.validation < 1:
        raise UsageError(f"--validation {request.validation}: expected a share below 1, such as 0.01")
    if request.shards < 1 or request.workers < 1 or request.seed < 0:
        raise UsageError("--shards and --workers must be 1 or more, --seed 0 or more")
    shards.allow_open_files(request.shards)
