"""Pages with known text: from a source of random numbers, an article in the middle of a site, and what its lines are."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

CHARACTERS = "aZ9.,“”–—…€₹≤不无一是のは灯न व मैं ก ال אב ё é 𝔘😀·•"
"""Of one byte to four in UTF-8; each may stand alone between two tags."""
PROSE = "The keeper of the lighthouse wrote to the harbour master about the lamp, and explained that the oil was used up."
INLINE = ("b", "i", "em", "STRONG", "span", "font", "code", "a href=/x", "u", "span class=x", "sub", "sup", "mark", "x-word")
SITE = ("Home Products Imprint", "Log in here", "All rights reserved")
"""Words that no article has."""
CODE = ("def walk(tree):", "    for node in tree:", "\tif x < y && z:", "", "        yield  node", "}")


@dataclass(frozen=True)
class Written:
    page: str
    blocks: list[tuple[str, list[str]]]
    """Of its main text: what a block is (`code`, `table`, `list`, …), and its lines, those apart that are blank."""

    @property
    def lines(self) -> list[str]:
        return [line for _, lines in self.blocks for line in lines]


def write(random: Random) -> Written:
    """A page of some blocks of all kinds."""
    parts, blocks = [], []
    for _ in range(random.randint(1, 5)):
        for block in (_paragraph, random.choice(BLOCKS)):
            markup, text = block(random)
            parts.append(markup)
            blocks.append((block.__name__.strip("_"), [line for line in text if line.strip()]))
    body = random.choice(("", "\n", "<!-- <p>x -->", "<script>if (a<b) {'</p>'}</script>")).join(parts)
    for _ in range(random.randint(0, 3)):
        body = random.choice(
            ("<div>{}</div>", '<div class="row x">{}</div>', "<section>{}</section>", "<center>{}</center>")
        ).format(body)
    wrapped = random.choice(WRAPPERS).format(body)
    navigation = "<ul><li><a href=/1>Home</a> <li><a href=/2>Products</a> <li><a href=/3>Imprint</a></ul>"
    around = random.choice((f"<nav>{navigation}</nav>", f"<div id=topMenu>{navigation}</div>", navigation))
    footer = random.choice(("<footer>All rights reserved</footer>", "<div class=page-footer><p>All rights reserved</div>"))
    head = "<!DOCTYPE html><html><head><title>x</title><style>p > b {}</style></head><body class=home>"
    return Written(f"{head}{around}{wrapped}{footer}</body></html>", blocks)


BOXES = ("<div>{}</div>", '<div class="row x">{}</div>', "<section>{}</section>", "<center>{}</center>")
WRAPPERS = ("<article>{}</article>", "<main>{}</main>", '<div class="entry-content">{}</div>', "<div><div>{}</div></div>", "{}",
            '<table><tr><td><ul><li><a href=/>Products</a></ul></td><td>{}</td></tr></table>')  # fmt: skip


def _word(random: Random) -> str:
    return "".join(random.choice(CHARACTERS) for _ in range(random.randint(1, 3)))


def _escaped(random: Random, text: str) -> str:
    ways: Sequence[Callable[[str], str]] = (html.escape, lambda t: "".join(f"&#x{ord(c):X};" for c in t), html.escape)
    return random.choice(ways)(text)


def _inline(random: Random, *, links: bool = True) -> tuple[str, str]:
    """Pieces with tags around some, and their text."""
    markup, text = "", ""
    tags = [tag for tag in INLINE if links or not tag.startswith("a ")]
    for _ in range(random.randint(1, 6)):
        piece = _word(random)
        written = _escaped(random, piece)
        for tag in random.sample(tags, random.randint(0, 2)):
            written = f"<{tag}>{written}</{tag.split()[0].lower()}>"
        space = random.choice(("", "", " ", "\n  "))
        markup, text = markup + space + written, text + space + piece
    return markup, " ".join(text.replace("\n", " ").split(" "))


def _line(text: str) -> list[str]:
    return [" ".join(part for part in text.split(" ") if part)]


def _paragraph(random: Random) -> tuple[str, list[str]]:
    markup, text = _inline(random)
    tag = random.choice(("p", "div", "P", "blockquote"))
    end = "" if tag == "p" and random.random() < 0.3 else f"</{tag}>"
    return f"<{tag}>{PROSE} {markup}{end}", _line(f"{PROSE} {text}")


def _heading(random: Random) -> tuple[str, list[str]]:
    markup, text = _inline(random)
    return f"<h2>{markup}</h2>", _line(text)


def _breaks(random: Random) -> tuple[str, list[str]]:
    found = [_inline(random) for _ in range(3)]
    return f"<p>{'<br>'.join(m for m, _ in found)}</p>", [line for _, t in found for line in _line(t)]


def _list(random: Random) -> tuple[str, list[str]]:
    items = [_inline(random, links=False) for _ in range(random.randint(1, 4))]
    tag, end = random.choice(("ul", "ol")), random.choice(("</li>", ""))
    markup = "".join(f"<li>item {m}{end}" for m, _ in items)
    lines = [line for _, t in items for line in _line(f"item {t}")]
    if random.random() < 0.3:
        markup, lines = f"{markup}<li>last<ul><li>within</ul>", [*lines, "last", "within"]
    return f"<{tag}>{markup}</{tag}>", lines


def _terms(random: Random) -> tuple[str, list[str]]:
    (term, term_text), (meaning, meaning_text) = _inline(random, links=False), _inline(random, links=False)
    return f"<dl><dt>term {term}<dd>means {meaning}</dl>", [*_line(f"term {term_text}"), *_line(f"means {meaning_text}")]


def _table(random: Random) -> tuple[str, list[str]]:
    end_cell, end_row = random.choice((("</td>", "</tr>"), ("", ""), ("</TD>\n", "</TR>\n")))
    markup, lines = "", []
    for _ in range(random.randint(1, 3)):
        cells = [_inline(random, links=False) for _ in range(random.randint(2, 4))]
        markup += "<tr>" + "".join(f"<td>cell {m}{end_cell}" for m, _ in cells) + end_row
        lines.append("\t".join(_line(f"cell {t}")[0] for _, t in cells))
    return f"<table>{random.choice(('', '<tbody>'))}{markup}</table>", lines


def _code(random: Random) -> tuple[str, list[str]]:
    lines = ["begin", *random.choices(CODE, k=random.randint(1, 5)), "end"]
    escaped = [html.escape(line) for line in lines]
    way = random.randint(0, 2)
    if way == 0:
        return "<pre>\n" + "\n".join(escaped) + "\n</pre>", lines
    if way == 1:
        spans = "".join(f"<span class=l>{line}</span>\n" for line in escaped)
        return f'<div class="highlight"><pre><code>{spans}</code></pre></div>', lines
    return "<pre>" + "<br>".join(escaped) + "</pre>", lines


def _ruby(random: Random) -> tuple[str, list[str]]:
    if random.random() < 0.5:
        return f"<p>{PROSE} <ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>です</p>", [f"{PROSE} 漢字(かんじ)です"]
    return f"<p>{PROSE} <ruby>東京<rp>（<rt>とう<rp>）</ruby>です</p>", [f"{PROSE} 東京（とう）です"]


def _formula(random: Random) -> tuple[str, list[str]]:
    forms = {
        "<math alttext='\\pi r^2'><mi>π</mi><mi>r</mi></math>": "$\\pi r^2$",
        "<math><semantics><mi>E</mi><annotation encoding='application/x-tex'>E=mc^2</annotation></semantics></math>": "$E=mc^2$",
        "<math><mi>a</mi><mo>=</mo><mfrac><mrow><mi>x</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></mfrac></math>": "a=(x+1)/2",
        "<math><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup><msqrt><mi>y</mi></msqrt></math>": "x_i^2√y",
        "x<sup>2</sup>": "x2",
    }
    markup, text = random.choice(sorted(forms.items()))
    return f"<p>{PROSE} {markup} units</p>", [f"{PROSE} {text} units"]


BLOCKS = (_heading, _breaks, _list, _terms, _table, _code, _ruby, _formula)
