"""The English quality model: connected prose of books, textbooks, speeches, manuals against menus, listings, forms, advertising.

Positive texts are public domain, CC0, CC-BY, MIT or Apache (LICENCES). No web page or e-mail with a licence that allows a
model was at hand, so the negative ones are patterns of our own (`quality.txt`); the card says what that costs.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.training import examples, fit, train
from pipeline.training.examples import Columns, Document, InputRecord
from pipeline.training.recipes import patterns

FILE = "quality/quality.jsonl.gz"
PROSE = (
    "openstax-us-history",
    "openstax-sociology",
    "openstax-economics",
    "openstax-biology",
    "openstax-anatomy",
    "rust-book",
    "state_union",
    "inaugural",
    "standardebooks",
)
MANUALS = {
    "throughput/peps.jsonl.gz": 250,
    "throughput/react_dev_en.jsonl.gz": 200,
    "throughput/php_doc_en.jsonl.gz": 300,
    "throughput/cakephp_docs.jsonl.gz": 150,
    "throughput/nodejs_org.jsonl.gz": 150,
}
"""Documents of each manual that are English by its own path, at least MIN_MANUAL characters long."""
MIN_MANUAL = 1500
NEGATIVES = 2400
FRAGMENT = 18
"""Most words of a fragment of prose: web_boilerplate of CleanEval and others is lines of fewer than 20."""
MOST_FRAGMENTS = 0.25
SETTINGS = replace(fit.QUALITY, word_ngrams=1, epoch=3, lr=0.1)
"""Single words and few epochs: pairs of words tell patterns from prose perfectly, and real pages less well than words do."""
LICENCES = (
    "of quality.jsonl.gz the sources named below alone; of manuals a random choice of long English pages",
    "OpenStax textbooks (philschatz/*-book): CC-BY 3.0, OpenStax College, Rice University",
    "Standard Ebooks: CC0, texts in the public domain",
    "The Rust Programming Language (rust-lang/book): MIT or Apache-2.0",
    "State of the Union and inaugural addresses: public domain",
    "Python Enhancement Proposals: public domain or CC0",
    "react.dev: CC-BY 4.0, Meta and contributors; PHP manual: CC-BY 3.0, the PHP Documentation Group; CakePHP documentation and"
    " nodejs.org: MIT",
    "negative examples: patterns of our own, `pipeline/training/recipes/quality.txt`",
)
LIMITS = (
    "Negative examples are made from patterns: the figures above are on more of the same and say little. On real web"
    " pages and mail that it has not seen (`python -m tests.bench.quality_model`) ROC AUC is 0.939 [0.932, 0.946], 0.943 with"
    " lengths matched, and the calibration error 0.18; at 0.2 it keeps 89 to 100 % of articles, 18 to 42 % of page furniture, 56"
    " and 73 % of two collections of spam mail.",
    "English prose only; tables, code and poetry score as what they look like.",
)


def request(folder: Path, *, name: str, seed: int) -> train.Request:
    """What to train on, from the files below `folder`. Raises InputError where one is missing."""
    prose, records = examples.load_examples([str(folder / FILE)], positive=True, columns=Columns(group="group"))
    books, read = manuals(folder, seed=seed)
    good = [*(document for document in prose if document.source in PROSE), *books]
    quarry = [document for document in good if examples.part_of(f"quarry {document.group}", seed=seed) == "test"]
    taken = {document.group for document in quarry}
    return train.Request(
        name=name,
        documents=[*(d for d in good if d.group not in taken), *negatives(NEGATIVES, quarry, seed=seed)],
        records=[*records, *read],
        settings=SETTINGS,
        seed=seed,
        licences=LICENCES,
        limits=LIMITS,
    )


def manuals(folder: Path, *, seed: int) -> tuple[list[Document], list[InputRecord]]:
    """A random choice of the English pages of MANUALS that are long enough to be prose."""
    documents: list[Document] = []
    records: list[InputRecord] = []
    for file, most in MANUALS.items():
        found, read = examples.load_examples([str(folder / file)], positive=True, columns=Columns(language_column="lang_hint"))
        long = [document for document in found if document.language == "en" and len(document.text) >= MIN_MANUAL]
        random.Random(seed).shuffle(long)
        documents += long[:most]
        records += read
    return documents, records


def negatives(n: int, quarry: Sequence[Document], *, seed: int) -> list[Document]:
    """Documents from the patterns: pages of menu lines, advertising mail, scripts. Between the lines of the first two stand
    fragments of the prose of `quarry`, which is in no other document: teasers of a front page, filler of an advertisement."""
    lists = patterns.read("quality")
    chance = random.Random(seed)
    lists["fragment"] = _fragments(quarry)
    makers = (_page, _page, _page, _mail, _mail, _script)
    made = []
    for i in range(n):
        maker = makers[i % len(makers)]
        made.append(
            Document(
                text="\n".join(maker(lists, chance) if maker is _script else _between(lists, maker(lists, chance), chance)),
                positive=False,
                source=f"patterns:{maker.__name__.strip('_')}",
                group=f"patterns:{i}",
            )
        )
    return made


def _fragments(documents: Sequence[Document]) -> list[str]:
    """Every FRAGMENT words of prose, line by line, as they stand."""
    return [
        " ".join(words[at : at + FRAGMENT])
        for document in documents
        for line in document.text.splitlines()
        if len(words := line.split()) >= FRAGMENT
        for at in range(0, len(words) - FRAGMENT + 1, FRAGMENT)
    ]


def _between(lists: patterns.Lists, lines: Iterable[str], chance: random.Random) -> Iterator[str]:
    """The lines, and before some of them a fragment: of each document another share, up to MOST_FRAGMENTS."""
    share = chance.uniform(0, MOST_FRAGMENTS)
    for line in lines:
        if chance.random() < share:
            words = chance.choice(lists["fragment"]).split()
            yield " ".join(words[: chance.randint(4, FRAGMENT)]) + chance.choice(("...", "", ".", " Read more", " »"))
        yield line


def _page(lists: patterns.Lists, chance: random.Random) -> Iterator[str]:
    """Menu entries and listing lines, on lines of their own or several on one; footers at the end."""
    joint = chance.choice((" | ", " ", " - ", ", ", " • ")) if chance.random() < 0.3 else None
    for _ in range(chance.randint(3, 12)):
        section = chance.choice(("menu", "menu", "item"))
        entries = [patterns.draw(lists, section, chance) for _ in range(chance.randint(3, 25))]
        if joint:
            yield joint.join(entries)
        else:
            yield from entries
    for _ in range(chance.randint(0, 5)):
        yield patterns.draw(lists, "footer", chance)


def _mail(lists: patterns.Lists, chance: random.Random) -> Iterator[str]:
    """Sentences of advertising, a paragraph or a line each."""
    for _ in range(chance.randint(3, 15)):
        sentences = [patterns.draw(lists, "spam", chance) for _ in range(chance.randint(1, 4))]
        text = " ".join(sentences)
        yield text.upper() if chance.random() < 0.1 else text


def _script(lists: patterns.Lists, chance: random.Random) -> Iterator[str]:
    for _ in range(chance.randint(5, 60)):
        yield patterns.draw(lists, "code", chance)
