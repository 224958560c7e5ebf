"""A model's judgements of an output's documents: asked for, cached, compared with the user's reviews, written, read for training.

The file is JSON lines without text: a head (model, guide, agreement), then `generation`, `source_ref`, `text` (a hash of what was
shown), `score`, `keep`, `problem`. Beside it FILE.quarantine.jsonl names the documents that got no answer of the form, twice.
Invariant: what was answered once is not asked again, whatever ended the run: the cache goes by what was shown, the guide, the
model and the fields of the request, and holds checked answers alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import InputError, OutputError
from pipeline.machine import schedule
from pipeline.machine.workers import Workers
from pipeline.plan.compute import BYTES_PER_TOKEN
from pipeline.records.base import Json
from pipeline.store.store import Store
from pipeline.training import reviewed, reviews_card
from pipeline.training.judge import question
from pipeline.training.judge.endpoint import Endpoint
from pipeline.training.judge.question import Answer
from pipeline.training.reviewed import Reviewed, Text

LEAST_AGREED = 30
"""Fewest documents that a person and the model both decided on, for their agreement to be known: of 30 it is within .35."""
MOST_REVIEWED = 200
"""Most reviewed documents that are judged again: they tell the agreement, and teach nothing."""
TRUST = 0.5
"""Weight of a model's judgement in training, beside 1 of a person's."""
ANSWER = 25
"""Tokens of an answer of the form."""


class Agreement(BaseModel):
    """How a model and a person decide the same documents: counts by (person, model), `kappa` (Cohen 1960); undecided ones of the
    model apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    both_keep: int
    both_drop: int
    person_keeps: int
    model_keeps: int
    undecided: int
    kappa: float | None

    @property
    def n(self) -> int:
        return self.both_keep + self.both_drop + self.person_keeps + self.model_keeps


class Head(BaseModel):
    """The first line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    model: str
    guide: str
    agreement: Agreement | None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What is about to be asked. Tokens are estimates: bytes over 4, and answers of the form; a failed try may cost as well."""

    documents: int
    cached: int
    tokens_in: int
    tokens_out: int
    price: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of it. `asked_again`: answers that were not of the form; `bad`: documents without one, twice."""

    judged: int
    asked_again: int
    bad: int
    tokens_in: int
    tokens_out: int
    agreement: Agreement | None


@dataclass
class Tally:
    """What is counted while threads ask."""

    again: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Cache:
    """Answers on disk, a file each, for their owner alone."""

    folder: Path
    identity: str

    @staticmethod
    def of(folder: Path, endpoint: Endpoint) -> Cache:
        said = json.dumps([question.guide_digest(), endpoint.model, endpoint.body], sort_keys=True)
        return Cache(folder, hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=16).hexdigest())

    def _path(self, text: str) -> Path:
        name = hashlib.blake2b(f"{self.identity} {question.digest(text)}".encode(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name}.json"

    def get(self, text: str) -> Answer | None:
        try:
            return Answer.model_validate_json(self._path(text).read_bytes())
        except (OSError, ValueError):
            return None

    def put(self, text: str, answer: Answer) -> None:
        """Raises OutputError."""
        path = self._path(text)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, staged = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(answer.model_dump_json().encode())
            os.replace(staged, path)
        except OSError as error:
            raise OutputError(f"{error.filename or path}: {error.strerror}; answers are kept there (--cache)") from error


def chosen(out: Store, *, n: int, seed: int) -> tuple[list[Text], list[Reviewed]]:
    """Documents to judge: reviewed ones first, at most half of them, then a sample of the others; and the reviews."""
    own = reviewed.load(out).examples
    again = sorted(own, key=lambda one: hashlib.blake2b(str(one.document.place).encode()).digest())[: min(n // 2, MOST_REVIEWED)]
    known = {one.document.place for one in own}
    rest = n - len(again)
    sample = [one for one in reviews_card.drawn(out, n=rest + len(known), seed=seed) if one.place not in known]
    return [*(one.document for one in again), *sample[:rest]], own


def cost(documents: Sequence[Text], cache: Cache, *, prices: tuple[float, float] | None) -> Cost:
    """What asking about these costs. `prices`: of a million tokens in, and out."""
    left = [one for one in documents if cache.get(one.text) is None]
    shown = sum(len(message["content"].encode()) for one in left for message in question.messages(one.text))
    tokens_in, tokens_out = round(shown / BYTES_PER_TOKEN), len(left) * ANSWER
    price = None if prices is None else (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6
    return Cost(documents=len(left), cached=len(documents) - len(left), tokens_in=tokens_in, tokens_out=tokens_out, price=price)


def judge(
    documents: Sequence[Text],
    own: Sequence[Reviewed],
    *,
    endpoint: Endpoint,
    cache: Cache,
    path: Path,
    at_once: int,
    done: Callable[[int], None] = lambda _: None,
) -> Result:
    """Ask about each document, and write the file. Raises RunFailed (the endpoint), OutputError."""
    tally = Tally()
    workers = Workers(at_once)
    count = 0

    def ended(_at: int, _answer: Answer | None) -> None:
        nonlocal count
        count += 1
        done(count)

    try:
        threads = schedule.of_pool(workers.submit)
        futures = (threads.submit(lambda one: _ask(one.text, endpoint, cache, tally=tally), one) for one in documents)
        answers = schedule.gather(threads, futures, stop=endpoint.stop, done=ended)
    finally:
        endpoint.stop()
        workers.close()
    agreement = agree(own, dict(zip((one.place for one in documents), answers, strict=True)))
    head = Head(model=endpoint.model, guide=question.guide_digest(), agreement=agreement)
    good = [(one, answer) for one, answer in zip(documents, answers, strict=True) if answer is not None]
    bad = [one for one, answer in zip(documents, answers, strict=True) if answer is None]
    _write(path, [head.model_dump(), *(_line(one) | answer.model_dump() for one, answer in good)])
    _write(quarantine(path), [_line(one) | {"cause": "no answer of the form, twice"} for one in bad])
    return Result(
        judged=len(good),
        asked_again=tally.again,
        bad=len(bad),
        tokens_in=tally.tokens_in,
        tokens_out=tally.tokens_out,
        agreement=agreement,
    )


def quarantine(path: Path) -> Path:
    """Where the documents stand that got no answer."""
    return path.with_name(f"{path.name}.quarantine.jsonl")


def _line(one: Text) -> Json:
    return {"generation": one.place[0], "source_ref": one.place[1], "text": question.digest(one.text)}


def _ask(text: str, endpoint: Endpoint, cache: Cache, *, tally: Tally) -> Answer | None:
    known = cache.get(text)
    if known is not None:
        return known
    for again in (False, True):
        said = endpoint.ask(text)
        with tally.lock:
            tally.tokens_in += said.tokens_in
            tally.tokens_out += said.tokens_out
            tally.again += said.answer is None and not again
        if said.answer is not None:
            cache.put(text, said.answer)
            return said.answer
    return None


def agree(own: Sequence[Reviewed], answers: dict[tuple[int, str], Answer | None]) -> Agreement | None:
    """Of the documents that were reviewed and judged; None where there is none."""
    counts: Counter[tuple[bool, str]] = Counter()
    for one in own:
        answer = answers.get(one.document.place)
        if answer is not None:
            counts[one.keep, answer.keep] += 1
    if not counts:
        return None
    both, neither = counts[True, "y"], counts[False, "n"]
    only_person, only_model = counts[True, "n"], counts[False, "y"]
    return Agreement(
        both_keep=both,
        both_drop=neither,
        person_keeps=only_person,
        model_keeps=only_model,
        undecided=counts[True, "?"] + counts[False, "?"],
        kappa=kappa(both, neither, (only_person, only_model)),
    )


def kappa(both: int, neither: int, apart: tuple[int, int]) -> float | None:
    """Agreement beyond chance; None where chance alone would agree on everything."""
    n = both + neither + sum(apart)
    if not n:
        return None
    seen = (both + neither) / n
    first, second = (both + apart[0]) / n, (both + apart[1]) / n
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else round((seen - chance) / (1 - chance), 4)


def _write(path: Path, lines: Sequence[Json]) -> None:
    """In one piece, for its owner alone; no file for no lines. Raises OutputError."""
    try:
        if not lines:
            with suppress(FileNotFoundError):
                path.unlink()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, staged = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line, ensure_ascii=True)}\n" for line in lines)
        os.replace(staged, path)
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error


def load(path: Path, out: Store) -> tuple[Head, list[Reviewed], dict[str, int]]:
    """Judgements as examples; how many were left out, by cause. Raises InputError: no such file, or nothing to trust it by."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        head = Head.model_validate(lines[0])
        places = [(int(line["generation"]), str(line["source_ref"])) for line in lines[1:]]
        answers = [Answer.model_validate({name: line[name] for name in Answer.model_fields}) for line in lines[1:]]
        digests = [line["text"] for line in lines[1:]]
    except (OSError, ValueError, TypeError, KeyError, IndexError, ValidationError) as error:
        raise InputError(f"{path}: expected judgements that `winnow train judge` wrote ({type(error).__name__})") from error
    if head.agreement is None or head.agreement.n < LEAST_AGREED:
        n = head.agreement.n if head.agreement else 0
        raise InputError(
            f"{path}: {n} of these documents are reviewed by you as well; whether {head.model!r} judges as you do is known from"
            f" {LEAST_AGREED} on: review {LEAST_AGREED - n} more (`winnow inspect --output {out.root} review`), and run"
            " the same `judge` command again: it asks nothing twice, and prints the agreement"
        )
    if head.guide != question.guide_digest():
        raise InputError(f"{path}: judged by another guide than this release's; run `winnow train judge` again")
    texts = {one.place: one for one in reviewed.texts_of(out, places)}
    left_out: Counter[str] = Counter()
    found = []
    for place, answer, digest in zip(places, answers, digests, strict=True):
        document = texts.get(place)
        if document is None or question.digest(document.text) != digest:
            left_out["judgements of texts that are gone or changed"] += 1
        elif answer.keep == "?":
            left_out["judgements that are undecided"] += 1
        else:
            found.append(Reviewed(document=document, keep=answer.keep == "y", trust=TRUST))
    return head, found, dict(left_out)


def plain(result: Result) -> Json:
    """For `--json`."""
    return asdict(result) | {"agreement": result.agreement.model_dump() if result.agreement else None}
