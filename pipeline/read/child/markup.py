"""HTML to a flow of elements and text, as a browser repairs it as far as text is concerned, in time linear in the page.

Parsers that build the standard's tree look through the open elements at each tag, and open unclosed formatting elements
anew in each paragraph: 20 kB of tags give them millions of elements. Here formatting (`b`, `font`) is no element at all,
and where an element of a name is open is known without looking for it, so each tag costs the same at any depth.

Invariant: every character that the standard's tree holds as text of the body is in the flow, in order (characters inside a
table but outside its cells stay where they are written). What is no text of a page (`script`, `style`, comments) never is.

Source: HTML Living Standard, 13.2.5 (tokens), 13.2.6 (which end tags are implied).
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

_SPACE = "\t\n\f\r "
_END = rf"[{_SPACE}/>]"
_ATTRIBUTES = rf"""(?:[^=>]++|=[{_SPACE}]*+(?:"[^"]*+"|'[^']*+'|[^{_SPACE}>"'][^{_SPACE}>]*+)?+)*+"""


def _raw(name: str, within: str = "") -> str:
    """A pattern for an element that holds no tags, behind its `<`."""
    text = rf"[^<]*+(?:<(?!/(?i:{name}){_END}){within}[^<]*+)*+"
    return rf"(?i:{name})(?={_END}){_ATTRIBUTES}(?:>{text}(?:</(?i:{name}){_ATTRIBUTES}(?:>|\Z)|\Z)|\Z)"


_NO_SCRIPT_YET = rf"(?:[^-<]++|-(?!->)|<(?!/?(?i:script){_END}))*+"
_IN_SCRIPT = rf"(?:[^-<]++|-(?!->)|<(?!/(?i:script){_END}))*+"
_COMMENT_IN_SCRIPT = rf"(?:!--{_NO_SCRIPT_YET}(?:<(?i:script){_END}{_IN_SCRIPT}(?:</(?i:script))?+)?+)?+"
"""In a comment in a script `<script>` and `</script>` are text, the standard says."""
_RAW = ("title", "style", "textarea", "iframe", "noembed", "noframes", "xmp")
_TOKEN = re.compile(
    rf"<(?:(/?)(?!(?i:script|{'|'.join(_RAW)}){_END})([a-zA-Z][^{_SPACE}/>]*+)({_ATTRIBUTES})(?:>|\Z)"
    rf"|({_raw('script', _COMMENT_IN_SCRIPT)})"
    rf"|{'|'.join(map(_raw, _RAW))}"
    rf"|!--(?:-?>|[^-]*+(?:-(?!-!?>)[^-]*+)*+(?:--!?>|\Z))"
    rf"|[!?/][^>]*+(?:>|\Z))"
)
_TEX = re.compile(r"script[^>]*math/tex[^>]*>(.*)</script", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(rf"""([^{_SPACE}=/][^{_SPACE}=/]*+)(?:[{_SPACE}]*+=[{_SPACE}]*+("[^"]*+"|'[^']*+'|[^{_SPACE}]*+))?+""")
_HUMP, _DASHES = re.compile("(?<=[a-z])(?=[A-Z])"), re.compile("[-_]+")


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_READ = words("class id role hidden aria-hidden style itemprop property alttext alt encoding")
"""Attributes that are looked at."""
_FORMATTING = words(
    "abbr acronym b basefont bdi bdo bgsound big blink body cite code col data del dfn em embed font frame frameset head html i"
    " ins kbd label link mark meta output param q s samp small source strike strong sub sup time track tt u var wbr"
    " area base image img input keygen path g circle rect use line polygon polyline ellipse defs stop lineargradient"
)
"""No elements here: their text is text of what they stand in."""
HEADINGS = words("h1 h2 h3 h4 h5 h6")
_CLOSE_P = HEADINGS | words(
    "address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer form header"
    " hgroup hr li listing main menu nav ol p plaintext pre search section summary table ul xmp"
)
_CELLS = words("td th")
_ROWS = words("tbody thead tfoot tr caption colgroup")
_BARRIERS = _CELLS | words("table caption button applet marquee object template")
"""Beyond these no end tag of what stands around them is heard."""
BLOCKS = _CLOSE_P | _ROWS | _BARRIERS | words("select noscript legend optgroup option")
"""Elements that end the line that they stand in."""
_FOREIGN = ("svg", "math")
_READINGS = ("rt", "rp", "rb", "rtc")
# Of what an element ends as it starts: which open elements, unless one of the others stands in between.
_ENDS = {
    "li": (("li",), ("ul", "ol", "menu", "dir")),
    "dt": (("dt", "dd"), ("dl",)),
    "dd": (("dt", "dd"), ("dl",)),
    "option": (("option",), ("select",)),
    "optgroup": (("option", "optgroup"), ("select",)),
    "button": (("button",), ()),
    **dict.fromkeys(HEADINGS, (tuple(HEADINGS), ("div", "section", "article", "li", "blockquote"))),
}
_ROW_ENDS = {**dict.fromkeys(_CELLS, ("td", "th", "caption")), "tr": ("td", "th", "caption", "tr")}


@dataclass(frozen=True, slots=True)
class Marks:
    """What a tag's attributes say of its element. `names`: id and classes between spaces, in small letters, "-" between words."""

    names: str = ""
    role: str = ""
    style: str = ""
    itemprop: str = ""
    hidden: bool = False
    text: str = ""  # of a formula or a picture
    encoding: str = ""


NO_MARKS = Marks()


_TOO_LARGE = re.compile(r"&#0*+[0-9]{8,}+;?")
"""A number that is no code point; `int` refuses one of more than 4,300 digits."""


def characters(text: str) -> str:
    """`text` with its character references read, as in HTML."""
    return html.unescape(_TOO_LARGE.sub("\N{REPLACEMENT CHARACTER}", text))


def read_marks(attributes: str) -> Marks:
    """Marks of a tag with these attributes, the first of a name."""
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(attributes):
        if (name := name.lower()) in _READ and name not in found:
            found[name] = characters(value[1:-1] if value[:1] in ('"', "'") and value[-1:] == value[:1] else value)
    if not found:
        return NO_MARKS
    get = found.get
    style = get("style", "").lower().replace(" ", "")
    names = _DASHES.sub("-", _HUMP.sub("-", f" {get('id', '')} {get('class', '')} ")).lower()
    hidden = (
        get("hidden", "until-found") != "until-found"
        or get("aria-hidden", "").lower() == "true"
        or "display:none" in style
        or "visibility:hidden" in style
    )
    return Marks(
        " ".join(("", *names.split(), "")) if names.strip() else "",
        get("role", "").lower(),
        style,
        get("itemprop", "") or get("property", ""),
        hidden and "mwe-math" not in names,  # MediaWiki hides its MathML behind a picture of it
        get("alttext") or get("alt", ""),
        get("encoding", "").lower(),
    )


@dataclass(slots=True)
class Page:
    """Elements by number, the first the body, and the flow: text, the number of an element where it starts, `~number` where it
    ends. `first` and `last` are the places of both. An element's number is larger than its parent's."""

    names: list[str] = field(default_factory=lambda: ["body"])
    parents: list[int] = field(default_factory=lambda: [-1])
    marks: list[Marks] = field(default_factory=lambda: [NO_MARKS])
    text: list[int] = field(default_factory=lambda: [0])  # characters of its own, those of children apart
    linked: list[int] = field(default_factory=lambda: [0])  # of these, in links
    first: list[int] = field(default_factory=lambda: [0])
    last: list[int] = field(default_factory=lambda: [0])
    flow: list[str | int | None] = field(default_factory=lambda: list[str | int | None]([0]))


class _Builder:
    """The open elements: their names and numbers, and `open[name]`, places on the stack of those of the name."""

    def __init__(self) -> None:
        self.page = Page()
        self.stack, self.numbers = ["body"], [0]  # -1: one that is no element of the page
        self.open: defaultdict[str, list[int]] = defaultdict(list)
        self.barriers, self.blocks = [0], [0]  # their places
        self.foreign = 0  # how many of them are open
        self.element = 0
        self.link = 0  # height of the stack at which a link was opened; 0 where none is open
        self.known: dict[str, Marks] = {"": NO_MARKS}

    def add(self, text: str) -> None:
        page = self.page
        if "&" in text:
            text = characters(text)
        page.flow.append(text)
        if not text.isspace():
            size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            page.text[self.element] += size
            if self.link:
                page.linked[self.element] += size

    def start(self, name: str, attributes: str) -> None:
        if name in BLOCKS:
            if self.foreign and (foreign := self.place(_FOREIGN)) > self.barriers[-1]:
                self.pop_to(foreign)
            if name in _CLOSE_P:
                p = self.open["p"]
                if p and p[-1] > self.barriers[-1]:
                    self.pop_to(p[-1])
            if name in _ENDS:
                self.end_open(*_ENDS[name])
            elif name in _CELLS or name in _ROWS:
                self.end_row(name)
        elif name in _READINGS and (at := self.place(_READINGS[:3])) > self.blocks[-1]:
            self.pop_to(at)
        self.push(name, attributes)
        if name == "hr" or (self.foreign and attributes.endswith("/")):
            self.pop_to(len(self.stack) - 1)

    def push(self, name: str, attributes: str) -> None:
        place = len(self.stack)
        marks = self.known.get(attributes)
        if marks is None:
            marks = self.known[attributes] = read_marks(attributes)
        self.stack.append(name)
        if name == "span" and not marks.names and not marks.hidden:
            self.numbers.append(-1)
        else:
            page = self.page
            number = len(page.names)
            page.names.append(name)
            page.parents.append(self.element)
            page.marks.append(marks)
            page.text.append(0)
            page.linked.append(0)
            page.first.append(len(page.flow))
            page.last.append(0)
            page.flow.append(number)
            self.numbers.append(number)
            self.element = number
        self.open[name].append(place)
        if name in BLOCKS:
            self.blocks.append(place)
            if name in _BARRIERS:
                self.barriers.append(place)
        elif name in _FOREIGN:
            self.foreign += 1

    def pop_to(self, place: int) -> None:
        """Close all that is open from that place of the stack on."""
        page = self.page
        for _ in range(len(self.stack) - place):
            name, number = self.stack.pop(), self.numbers.pop()
            self.open[name].pop()
            if number >= 0:
                page.last[number] = len(page.flow)
                page.flow.append(~number)
                self.element = page.parents[number]
            if name in _FOREIGN:
                self.foreign -= 1
        while self.blocks[-1] >= place:
            self.blocks.pop()
        while self.barriers[-1] >= place:
            self.barriers.pop()
        if self.link > place:
            self.link = 0

    def place(self, names: Iterable[str]) -> int:
        """Where the last of these is open; 0 where none is."""
        return max([self.open[name][-1] for name in names if self.open[name]], default=0)

    def end_open(self, names: tuple[str, ...], between: tuple[str, ...]) -> None:
        place = self.place(names)
        if place > self.barriers[-1] and place > self.place(between):
            self.pop_to(place)

    def end_row(self, name: str) -> None:
        """What a cell, a row or a part of a table ends as it starts."""
        table = self.place(("table", "template"))
        names = _ROW_ENDS.get(name, (*_CELLS, *_ROWS))
        within = [self.open[n][-1] for n in names if self.open[n] and self.open[n][-1] > table]
        if within:
            self.pop_to(min(within))

    def end(self, name: str) -> None:
        places = self.open.get(name)
        place = self.place(HEADINGS) if name in HEADINGS else places[-1] if places else 0
        if not place:
            return
        if name not in BLOCKS:
            limit = self.barriers[-1] if name in _FOREIGN else self.blocks[-1]
        elif name == "table" or name == "template":
            limit = self.place(("template",)) if name == "table" else 0
        elif name in _BARRIERS or name in _ROWS:
            limit = self.place(("table", "template"))
        else:
            limit = self.barriers[-1]
        if place > limit:
            self.pop_to(place)


def read_page(source: str) -> Page:
    """The page's elements and text."""
    builder = _Builder()
    page, add, start, end = builder.page, builder.add, builder.start, builder.end
    lowered: dict[str, str] = {}
    pieces = _TOKEN.split(source)
    for text, slash, written, attributes, script in zip(*(pieces[i::5] for i in range(5)), strict=False):
        if text:
            add(text)
        if not written:
            if script and (tex := _TEX.match(script)):
                add(f"${tex[1]}$")
            continue
        name = lowered.get(written)
        if name is None:
            name = lowered[written] = written.lower()
        if name in _FORMATTING:
            continue
        if name == "br":
            page.flow.append(None)
        elif name == "a":
            builder.link = 0 if slash or "href" not in attributes.lower() else len(builder.stack)
        elif slash:
            end(name)
        else:
            start(name, attributes)
    if pieces[-1]:
        add(pieces[-1])
    builder.pop_to(1)
    page.last[0] = len(page.flow)
    page.flow.append(~0)
    return page
