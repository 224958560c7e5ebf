"""HTML as a browser repairs it: the characters of the standard's tree, at a cost that grows as the page does."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.read.child import content, layout, markup
from tests.support import examples

NO_TEXT = ("script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp")


def all_text(page: str) -> str:
    """Text of a page of which nothing is dropped."""
    read = markup.read_page(page)
    return layout.lay_out(read, 0, bytearray(len(read.names)))


def characters(text: str) -> str:
    return "".join(text.split())


def tree_text(page: str) -> str:
    """Characters that the standard's tree has in its body, as lexbor builds it."""
    from resiliparse.parse.html import HTMLTree, NodeType

    texts = (node for node in HTMLTree.parse(page).document if node.type == NodeType.TEXT)
    return characters("".join(node.text for node in texts if node.parent.tag not in NO_TEXT))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a <b<c>d", "a d"),
        ("a < b <3 </ x>c", "a < b <3 c"),
        ("<p title='>'>a</p><p title=\">\" x=>b", "a\n\nb"),
        ("<p title='a\"b' class=\"it's\">a", "a"),
        ("<P>a<Div>b</DIV>c", "a\n\nb\nc"),
        ("a<!-->b<!--->c<!-- --!>d<!-- - -- > -->e<!x>f<?y>g", "abcdefg"),
        ("a<!-- b", "a"),
        ("a<script>if (a</b/) '</scrip>'</script >b", "ab"),
        ("a<script><!-- <script> </script> --></script>b", "ab"),
        ("a<script><!-- </script>b", "ab"),
        ("a<style><!-- </style>b<title></p></title>c<textarea><p></textarea>d", "abcd"),
        ("a<script>b", "a"),
        ("<p>a<p", "a"),
        ("<b><p>a</b>b</p>c", "ab\n\nc"),
        ("<div><span>a</div>b</span>c", "a\nbc"),
        ("<ul><li>a<p>b<li>c</ul>d", "a\n\nb\n\nc\n\nd"),
        ("<table><tr><td>a</div>b<td>c</table>d", "ab\tc\n\nd"),
        ("<div>x<table><tr><td>a</div>b<td>c</table>d", "x\n\nab\tc\n\nd"),
        ("<dl><dt>a<dd>b<dt>c</dl>", "a\nb\nc"),
        ("<h1>a<h2>b</h1>c", "a\n\nb\n\nc"),
        ("<svg><path/><g></svg>a<svg><p>b", "a\n\nb"),
        ("a</br>b</p>c", "a\nbc"),
        ("&lt;p&gt &notit; &amp;amp; &#0;&#xD800;&#x80;", "<p> ¬it; &amp; \ufffd\ufffd€"),
    ],
)  # fmt: skip
def test_tags_and_text(page: str, text: str) -> None:
    assert all_text(page) == text


ELEMENTS = markup.words("p div ul li table tr td th tbody h1 h2 dl dt dd pre b i a span section blockquote center form br hr x-y")
PIECES = (
    *(f"<{name}>" for name in sorted(ELEMENTS)),
    *(f"</{name}>" for name in sorted(ELEMENTS)),
    *("<p class='x>'>", '<td a=">">', "<!-- <p> -->", "<script>'<p>'</script>", "<style>p</style>", "<DIV ID=a>", "< ", "</ >"),
    *("&amp;", "&eacute", "不", "a", "bc ", " ", "\n", "<?x>"),
)


@examples(10)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_all_characters_of_the_standards_tree_are_there(page: str) -> None:
    found = "".join(piece for piece in markup.read_page(page).flow if isinstance(piece, str))
    assert sorted(characters(found)) == sorted(tree_text(page))


@examples(5)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_a_flow_is_well_formed(page: str) -> None:
    read = markup.read_page(page)
    opened: list[int] = []
    for at, piece in enumerate(read.flow):
        if isinstance(piece, int) and piece >= 0:
            assert (read.first[piece], read.parents[piece]) == (at, opened[-1] if opened else -1)
            opened.append(piece)
        elif isinstance(piece, int):
            assert (opened.pop(), at) == (~piece, read.last[~piece])
    assert not opened


@pytest.mark.skipif(not os.environ.get("WINNOW_EVAL_DATA"), reason="WINNOW_EVAL_DATA is not set")
def test_real_pages_have_the_characters_of_the_standards_tree() -> None:
    from tests.bench.pages import gold_pages

    pages = [page.html for page in gold_pages()[::4]]
    other = [page for page in pages if sorted(characters(all_text(page))) != sorted(tree_text(page))]
    assert len(other) <= 0.02 * len(pages)


NESTED = {
    "boxes": "<div>",
    "rows": "<table><tr><td>a<td>",
    "lines in rows": "<table><tr><td>a<br>",
    "lists": "<ul><li>a",
    "terms": "<dl><dt>a",
    "paragraphs in formatting": "<b a='{}'><p>a",
    "spans in boxes": "<b><div><span>",
    "end tags": "<b><div><span></b>",
    "links": "<a href=x>",
    "buttons": "<button><p>a",
    "formulas": "<math><msup><mi>x</mi>",
    "readings": "<ruby>a<rt>b",
    "code": "<pre>a\n",
    "articles": "<article class=post>" + "a" * 50,
    "menus": "<div class='nav{}'><a href=x>a</a>",
    "open tags": "<a ",
    "open quotes": "<a b='",
    "open comments": "<!--",
    "comments in a script": "<script><!--<script>",
    "titles": "<title>",
    "other names": "<x{}>",
    "templates": "<template>",
}


@pytest.mark.parametrize("piece", NESTED.values(), ids=NESTED)
def test_the_cost_of_a_page_grows_as_its_length(piece: str) -> None:
    """Four times the page takes about four times as long, where quadratic steps would take sixteen."""

    def cost(n: int) -> float:
        page = "".join(piece.format(i) for i in range(n)) + "a" * n

        def seconds() -> float:
            start = time.process_time()
            read = markup.read_page(page)
            found = content.main_text(read)
            layout.lay_out(read, found.core, found.dropped)
            return time.process_time() - start

        return min(seconds() for _ in range(2))

    assert cost(8_000) < 8 * cost(2_000) + 0.05


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a &amp; b", "a & b"),
        ("&#65;&#0000000000000065;&#x41;", "AAA"),
        ("&#99999999;!", "\ufffd!"),
        ("&#" + "9" * 5000 + ";!", "\ufffd!"),
    ],
)
def test_a_number_of_any_length_is_a_character(text: str, read: str) -> None:
    assert markup.characters(text) == read
