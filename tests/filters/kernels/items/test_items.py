"""Items are found as plain Python over tuples of words finds them: edited, cut short, with options in any order; and no more."""

from __future__ import annotations

import random
import re
import time
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.evaluations.items import Item, Rarity, compiled
from filters.kernels import buffers
from filters.kernels.items import item_words, scan, tables
from filters.kernels.items.tables import COMMON, Items
from tests.filters.kernels.items import plain_passages
from tests.filters.kernels.items.plain_passages import Plain
from tests.support import examples, prose
from tests.text import definition

_SYLLABLES = ["ba", "do", "fi", "gu", "ke", "la", "mo", "ni", "pa", "ru", "se", "ti", "vo", "wa", "ze"]
VOCABULARY = [a + b + c for a in _SYLLABLES[:9] for b in _SYLLABLES[5:] for c in ("r", "n", "lim", "stok")]
NO_RARITY = Rarity(np.zeros(0, np.uint32), np.zeros(0, np.uint8))
"""Every word weighs most."""


def column(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return buffers.views(pa.array(texts, pa.large_string()))


def coverage(texts: list[str], items: Items) -> list[float]:
    return scan.find(*column(texts), items, tables.seeds(items)).coverage.tolist()


def invented(number: int, seed: int = 1, words: int = 26, options: int = 4) -> list[Item]:
    draw = random.Random(seed)

    def some(n: int) -> str:
        return " ".join(draw.choice(VOCABULARY) for _ in range(n))

    made = [Item(some(words) + "?", tuple(some(6) for _ in range(options)), some(2)) for _ in range(number)]
    return [*made, *(Item(f"Which of these is said of the {VOCABULARY[i]} at all times?") for i in range(3 * COMMON))]


def edited(text: str, share: float, draw: random.Random) -> str:
    """A share of the words changed: other ones, none, or one more."""
    changes = [lambda word: draw.choice(VOCABULARY), lambda word: "", lambda word: f"{word} {draw.choice(VOCABULARY)}"]
    words = re.split(r"(\s+)", text)
    return "".join(draw.choice(changes)(word) if word.strip() and draw.random() < share else word for word in words)


def test_the_bytes_of_the_vocabulary_tell_most_words_apart():
    _, codes = item_words.word_codes(*column([" ".join(VOCABULARY)]))
    assert len(set((codes >> 24).tolist())) > 150


# Words whose bytes differ, so that plain words are equal where bytes are.
_, _CODES = item_words.word_codes(*column([" ".join(VOCABULARY)]))
_FIRST = {int(code) >> 24: word for word, code in reversed(list(zip(VOCABULARY, _CODES, strict=True)))}
SOME = sorted(_FIRST.values())[:14]
RUNS = st.lists(st.sampled_from(SOME), min_size=1, max_size=12)


@st.composite
def cases(draw):
    """Items of few words, and a text of pieces of them."""
    texts = st.builds(" ".join, st.lists(st.sampled_from(SOME), min_size=3, max_size=28))
    made = st.builds(Item, texts, st.lists(texts, max_size=2).map(tuple), st.none() | st.sampled_from(SOME))
    items = draw(st.lists(made, min_size=1, max_size=5))
    pieces = []
    for _ in range(draw(st.integers(1, 5))):
        item = draw(st.sampled_from(items))
        words = draw(st.sampled_from([item.question, *item.options, " ".join((item.question, *item.options))])).split()
        start = draw(st.integers(0, len(words) - 1))
        pieces += words[start : start + draw(st.integers(1, 28))] + draw(st.lists(st.sampled_from(SOME), max_size=3))
    return items, pieces


@examples(0.5)
@given(cases(), st.integers(0, 3))
def test_a_text_holds_what_plain_python_finds(case, light):
    given_items, words = case
    some = np.array(sorted(int(c) for w, c in zip(VOCABULARY, _CODES, strict=True) if w in SOME[:light]), np.uint32)
    made, _ = compiled(given_items, Rarity(some, np.full(len(some), 2, np.uint8)))
    items = made.items
    spelt = {int(code) >> 24: word for word, code in zip(VOCABULARY, _CODES, strict=True) if word in SOME}
    plain = [
        Plain(
            [
                [(spelt[int(w)], int(weight)) for w, weight in zip(items.words[a:b], items.weights[a:b], strict=True)]
                for a, b in zip(items.starts[f:stop], items.starts[f + 1 : stop + 1], strict=True)
            ],
            tuple(definition.words(given_items[k].answer or "")[:8]),
        )
        for f, stop, k in zip(items.firsts[:-1], items.firsts[1:], made.kept, strict=True)
    ]
    found = scan.find(*column([" ".join(words)]), items, tables.seeds(items))
    expected = plain_passages.best(words, plain)
    if expected is None:
        assert found.coverage[0] == 0
        return
    bounds = [m.span() for m in re.finditer(r"\w+", " ".join(words))]
    assert found.coverage[0] == pytest.approx(expected[0], abs=1e-6)
    assert (found.item[0], found.first[0], found.last[0]) == (expected[1], bounds[expected[2]][0], bounds[expected[3]][1])


@pytest.mark.parametrize(("share", "least"), [(0, 1.0), (0.1, 0.97), (0.2, 0.85)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_items_are_found_with_words_changed_and_options_in_any_order(share, least, shuffled):
    draw = random.Random(3)
    given_items = invented(120)
    made, _ = compiled(given_items)
    texts = []
    for number, item in enumerate(given_items[:120]):
        options = list(item.options)
        if shuffled:
            draw.shuffle(options)
        said = "\n".join([item.question, *(f"{letter}) {option}" for letter, option in zip("ABCD", options, strict=True))])
        texts.append(f"{prose(number)}\n{edited(said, share, draw)}\n{prose(number + 1)}")
    found = scan.find(*column(texts), made.items, tables.seeds(made.items))
    right = (found.coverage >= 0.5) & (found.item == np.arange(120))
    assert right.mean() >= least


def test_a_question_without_its_options_and_the_greater_part_of_one_are_found_and_scraps_are_not():
    given_items = invented(20)
    made, _ = compiled(given_items)
    words = given_items[0].question.split()
    shares = coverage([" ".join(words), " ".join(words[:18]), " ".join(words[:9]), " ".join(words[:4])], made.items)
    assert shares[:2] == [1, pytest.approx(2 / 3)], "another figure: raise the versions of filter and edit"
    assert max(shares[2:]) < 0.5


@pytest.mark.parametrize(
    ("between", "found"), [(0, True), (48, True), (50, False)], ids=["at once", "in 50 words", "beyond 50 words"]
)
def test_a_short_question_counts_word_for_word_and_with_its_answer_near_it(between, found):
    short = Item("Where did the ferryman of Kelmoor hide the copper bell?", answer="under the old pier")
    made, _ = compiled([*invented(5), short])
    behind = f"{short.question} {'so ' * between}Under the old pier!"
    before = f"Under the old pier. {'so ' * between}{short.question}"
    changed = behind.replace("copper", "silver")
    assert coverage([behind, before, changed, short.question], made.items) == [float(found), float(found), 0, 0]


SHORT_ONE = Item("What makes a lantern hum?", ("damp wool", "a loose wick", "salt", "frost"), "a loose wick")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What makes a lantern hum? damp wool, a loose wick, salt, frost", 1),
        ("What makes a lantern hum?\nA. frost\nB. salt\nC. damp wool\nD. a loose wick\nAnswer: D", 1),
        ("WHAT MAKES a lantern hum: salt, frost, or a loose wick?", 1),  # three of four
        ("What makes a lantern hum? A loose wick, or frost", 0),  # two of four
        ("What makes a lantern hum?", 0),
        ("damp wool, a loose wick, salt, frost: what makes a lantern hum?", 0),
        ("What makes a new lantern hum? damp wool, a loose wick, salt, frost", 0),
        (f"What makes a lantern hum? {'so ' * 40} damp wool, a loose wick, salt, frost", 0),
    ],
)
def test_a_short_question_counts_word_for_word_and_with_its_options_behind_it(text, found):
    made, _ = compiled([*invented(5), SHORT_ONE])
    assert coverage([f"{prose(3)}\n{text}\n{prose(4)}"], made.items) == [found]


def test_a_few_words_with_options_are_no_item():
    """Too little to tell: its question and options have fewer than SAID words together."""
    made, _ = compiled([*invented(5), Item("Is a lantern loud?", ("yes", "no"))])
    assert coverage(["Is a lantern loud? yes no"], made.items) == [0]


OPENINGS = ("This question refers to the following information.", "Read the following passage about a mill:", "Passage:")


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_passage_that_is_announced_is_not_the_question(opening):
    passage = " ".join(VOCABULARY[20:50]) + "\n" + " ".join(VOCABULARY[50:80]) + "\n- the lockkeeper of Dunmere, a speech, 1830"
    asked = "Which claim does the speech of the lockkeeper at Dunmere reject, as far as its third and its last sentence go?"
    made, _ = compiled([Item(f"{opening}\n{passage}\n{asked}", ("that mills are loud", "that rivers are deep")), *invented(5)])
    alone, question, both = coverage([passage, asked, f"{passage}\n\n{asked}"], made.items)
    assert (alone, question > 0.5, both > 0.5) == (0, True, True)


def test_what_many_items_share_marks_nothing():
    """Scaffolding: no run of words that more than COMMON items have is a seed, nor is it weight."""
    made, _ = compiled(invented(5))
    assert coverage(["Which of these is said of the " * 40 + "at all times?"], made.items) == [0]


def test_a_pattern_that_repeats_is_little_of_an_item():
    """Three quarters of its words, and a quarter of its different words."""
    pattern, rest = " ".join(VOCABULARY[:8]), " ".join(VOCABULARY[30:54])
    made, _ = compiled([Item(f"{f'{pattern} ' * 9} {rest}"), *invented(3)], NO_RARITY)
    assert coverage([f"{pattern} " * 9], made.items) == [0]


def test_a_passage_that_a_question_quotes_is_not_the_question():
    passage = " ".join(VOCABULARY[20:70])
    asked = "Which claim does the speech of the lockkeeper at Dunmere reject, as far as its third and its last sentence go?"
    made, _ = compiled([Item(f'Read this: "{passage}" {asked}'), *invented(5)])
    assert coverage([passage, f"Read this: {passage} {asked}"], made.items) == [0, 1]


def test_an_item_is_found_wherever_it_stands_in_a_long_text():
    """Across the places where a long text is taken up anew."""
    item = invented(1)[0]
    made, _ = compiled([item])
    filler = "so " * 16
    for before in (scan.CHUNK - 30, scan.CHUNK - 10, scan.CHUNK + 500, 2 * scan.CHUNK):
        text = filler * (before // 16) + item.question + filler * 8000
        found = scan.find(*column([text]), made.items, tables.seeds(made.items))
        assert found.coverage[0] == 1
        assert text.encode()[found.first[0] : found.last[0]].decode() + "?" == item.question


def test_a_text_of_nothing_but_items_costs_time_in_proportion_to_it():
    given_items = invented(COMMON, words=40, options=0)
    repeated = [Item(f"{given_items[0].question} {item.question}") for item in given_items[:COMMON]]
    made, _ = compiled(repeated, NO_RARITY)
    seeds = tables.seeds(made.items)
    text = " ".join(item.question for item in repeated)
    times = []
    for copies in (8, 64):
        start = time.process_time()
        assert scan.find(*column([f"{text} " * copies]), made.items, seeds).coverage[0] == 1
        times.append(time.process_time() - start)
    assert times[1] < 40 * max(times[0], 0.002)


def test_an_item_that_repeats_itself_has_each_seed_once():
    made, _ = compiled([Item("bafir kelan " * 50), Item("dolan bapar " * 30)], NO_RARITY)
    found = tables.seeds(made.items)
    assert np.diff(found.posts).max() == 1


def test_passages_are_cut_and_all_else_stays():
    given_items = invented(3)
    made, _ = compiled(given_items)
    first, second = given_items[0].question, given_items[1].question
    texts = [f"{prose(1)}\n{first}\n{prose(2)} ({second}) {prose(3)}", prose(4), "", f"中文 {first} é"]
    offsets, data = column(texts)
    starts, left, changes = scan.cut(offsets, data, made.items, tables.seeds(made.items), limit=0.5)
    rows = [left[a:b].tobytes().decode() for a, b in pairwise(starts)]
    assert rows == [f"{prose(1)}\n\n{prose(2)} ( {prose(3)}", prose(4), "", "中文  é"]
    assert changes.tolist() == [1, 0, 0, 1]
