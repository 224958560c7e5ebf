"""Main text of pages: every character of what is kept, in its lines; of what stands around it nothing."""

import os
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.read.child import html
from tests.bench.pages import f1, precision_and_recall
from tests.read.child.generated import SITE, write
from tests.support import examples

PROSE = "The keeper of the lighthouse wrote a letter to the harbour master about the lamp, which he had cleaned in spring."
P = f"<p>{PROSE}</p>"
ZH = "<p>港口的早晨很安静，只听得见船的声音。守灯塔的人每天早上都到这里来，先看看海的颜色，然后开始一天的工作。</p>"
CODE = "def walk(tree):\n    for node in tree:\n\n        yield node < 1"
SPANS = "".join(f'<span class="k">{word}</span>' if word.strip() else word for word in ("def", " ", "f():", "\n    ", "return"))


def text_of(page: str) -> str:
    return html.main_text(page.encode())


def between(block: str) -> str:
    """Text that a block has between two paragraphs of an article."""
    page = f"<nav><a href=/>Home</a></nav><article>{P}{block}{P}</article><footer>imprint</footer>"
    found = text_of(page)
    assert found.startswith(PROSE) and found.endswith(PROSE), found
    return found[len(PROSE) : -len(PROSE)].strip("\n")


@examples(1)
@given(st.randoms(use_true_random=False))
def test_every_character_of_an_article_survives_in_its_lines(random: Random) -> None:
    written = write(random)
    found = text_of(written.page)
    assert [line for line in found.split("\n") if line.strip()] == written.lines
    assert not any(words in found for words in SITE)


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("<p>这种药<b>不</b>可以，本品<em>无</em>毒</p>", "这种药不可以，本品无毒"),
        ("<p><a href=/a>Alpha</a> – <a href=/b>Beta</a> “<a href=/c>Gamma</a>” are names</p>", "Alpha – Beta “Gamma” are names"),
        ("<p><b>€</b>5, <span>₹</span>20, x <i>≤</i> y, मैं <b>न</b> और</p>", "€5, ₹20, x ≤ y, मैं न और"),
        ("<p>春<br>夏<BR/>秋</p>", "春\n夏\n秋"),
        ("<p><b>un</b>believable <code>.f()</code></p>", "unbelievable .f()"),
        ("<p>a &lt; b &amp;&amp c caf&eacute; &#x1F600; &shy;x A&ndash;B</p>", "a < b && c café 😀 \xadx A–B"),
        ("<p>a\n\t b\xa0 c\u3000d</p>", "a b\xa0 c\u3000d"),
        ("<ul><li>flour<li>1 egg<ul><li>beaten</ul></ul>", "flour\n1 egg\nbeaten"),
        ("<ol><li><p>Mix</p></li><li><p>Bake</p></li></ol>", "Mix\n\nBake"),
        ("<dl><dt>Term<dd>Its meaning</dl>", "Term\nIts meaning"),
        ("<h2>第<span>一</span>章</h2>", "第一章"),
        ("<blockquote>He said <q>no</q></blockquote>", "He said no"),
        ("<details><summary>What?</summary>This.</details>", "What?\nThis."),
        ("<figure><img src=x alt=y><figcaption>A caption</figcaption></figure>", "A caption"),
        ("<aside><p>A note.</p></aside>", "A note."),
        ("<div hidden=until-found>found</div>", "found"),
        ("text <div class=ad>buy</div>goes on", "text\ngoes on"),
    ],
)  # fmt: skip
def test_blocks(block: str, text: str) -> None:
    assert between(block) == text


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (f"<pre>\n{CODE.replace('<', '&lt;')}\n</pre>", CODE),
        (f"<div class=code-toolbar><pre class='line-numbers'><code>{CODE.replace('<', '&lt;')}</code></pre></div>", CODE),
        (f"<div class=highlight><pre><span></span>{SPANS}</pre></div>", "def f():\n    return"),
        ("<pre><div>a</div><div>  b</div><div>\n</div><div>c</div></pre>", "a\n  b\n\nc"),
        ("<pre>a<br>  b</pre>", "a\n  b"),
        ("<pre>  a\n\tb</pre>", "  a\n\tb"),
        ("<div style='white-space: pre-wrap'>a\n  b</div>", "a\n  b"),
        ("<table><tr><td class=gutter><pre>1\n2</pre><td class=code><pre>a\n  b</pre></table>", "a\n  b"),
        ("<pre><span class=lineno>1</span>a\n<span class=lineno>2</span>  b</pre>", "a\n  b"),
    ],
)
def test_code_keeps_its_lines_and_its_indentation(block: str, text: str) -> None:
    assert between(block) == text


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("<table><tr><th>City<th>Rate<tr><td>Kyoto<td>4.5</table>", "City\tRate\nKyoto\t4.5"),
        ("<table><tr><td><td>a<td></td><td>b</td><td></td></table>", "\ta\t\tb"),
        ("<table><caption>Rates</caption><thead><tr><th>a<th>b<tbody><tr><td><p>1</p><td><p>2</p></table>", "Rates\na\tb\n1\t2"),
        ("<table><tr><td>Kyoto<br>Japan<td>4.5</table>", "Kyoto Japan\t4.5"),
        ("<table><tr><td><a href=/k>Kyoto</a><td><a href=/j>Japan</a><td>in the east</table>", "Kyoto\tJapan\tin the east"),
        (f"<table><tr><td>{P}{P}<td>{P}</table>", f"{PROSE}\n\n{PROSE}\n\n{PROSE}"),
        ("<table><tr><td>a<td><table><tr><td>b<td>c</table></table>", "a\tb\tc"),
        (f"<table><tr><td>{'a ' * 600}<td>b</table>", ("a " * 600).strip() + "\nb"),
        ("<table><tr><td>a<td><pre>b\n c</pre></table>", "a\n\nb\n c"),
    ],
)  # fmt: skip
def test_tables_of_data_keep_their_rows(block: str, text: str) -> None:
    assert between(block) == text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"<math alttext='\pi r^2'><mi>π</mi></math>", r"$\pi r^2$"),
        (
            "<math><semantics><mi>E</mi><annotation encoding='application/x-tex'>E=mc^2</annotation></semantics></math>",
            "$E=mc^2$",
        ),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><msub><mi>y</mi><mi>i</mi></msub></math>", "x^2+y_i"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mi>b</mi></mfrac></math>", "(a+1)/b"),
        ("<math><msqrt><mi>a</mi><mi>b</mi></msqrt><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup></math>", "√(ab)x_i^2"),
        ("<span class=katex><math alttext=E></math><span aria-hidden=true>E</span></span>", "$E$"),
        ("<span class='mwe-math-mathml-inline' style='display: none'><math alttext=E></math></span><img alt=E>", "$E$"),
        ('<script type="math/tex; mode=display">a < b</script>', "$a < b$"),
        (r"\(a^2\) x<sup>2</sup>", r"\(a^2\) x2"),
        ("<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>", "漢字(かんじ)"),
        ("<ruby><rb>東京</rb><rp>（</rp><rt>とうきょう</rt><rp>）</rp></ruby>", "東京（とうきょう）"),
    ],
)
def test_formulas_and_readings(formula: str, text: str) -> None:
    assert between(f"<p>It is {formula} here</p>") == f"It is {text} here"


MENU = "<ul><li><a href=/1>Home</a><li><a href=/2>Products</a><li><a href=/3>Imprint</a></ul>"


@pytest.mark.parametrize(
    "block",
    [
        "<nav>x</nav>", "<footer>x</footer>", "<div class='c-article__more--from'>x</div>", "<p class=ad-slot>x</p>",
        "<div role=navigation>x</div>", "<div class='post_Related'>x</div>",
        "<div class=relatedPosts>x</div>", "<div id=cookie-banner>x</div>", "<p class=newsletter>x</p>", "<form>x</form>",
        f"<div id=comments>{P * 20}</div>", f"<section class='comment-list'>{P}</section>", MENU, f"<div>{MENU}</div>",
        "<p><a href=/x>Read more</a></p>", "<aside><a href=/x>x</a> y</aside>", "<aside class=promo>x</aside>",
        "<p hidden>x</p>", "<p style='display: none'>x</p>", "<span aria-hidden=true>x</span>", "<template>x</template>",
        "<select><option>x</select>", "<svg><text>x</text></svg>", "<button>x</button>", "<noscript>x</noscript>",
        "<script>x</script>", "<style>x</style>", "<iframe>x</iframe>", "<textarea>x</textarea>", "<!-- x -->",
    ],
)  # fmt: skip
def test_what_is_beside_the_text_is_dropped(block: str) -> None:
    assert between(block) == ""


@pytest.mark.parametrize(
    "page",
    [
        P * 5,
        f"<body class='has-sidebar comments-open'><div class='page nav-top'><div class=entry-content>{P * 5}</div></div>",
        f"<div id=sidebar-wrapper><div>{MENU}</div>{P * 5}</div>",
        f"<article class='post category-news tag-newsletter'>{P * 5}</article>",
        f"<form id=aspnet>{MENU}<div>{P * 5}</div></form>",
        f"<header><h1>Site</h1></header>{P * 5}",
        f"<div><div class=post-content>{P * 3}</div><div class=post-content>{P * 2}</div></div><div>{MENU}</div>",
        f"<main>{P * 5}</main><div class=comments>{P * 50}</div>",
        f"<table><tr><td>{MENU}<td><div>{P * 5}</div></table>",
        f"<div class=teaser><p>Another story that you may like to read, it is not long.</p></div><div>{P * 5}</div>",
        f"<article>{P * 2}<div class=promo>{P * 3}</div></article>",
        f"<div class='article__body'>{P * 5}</div><div>{P * 2}</div>",
        f"<section property=articleBody>{P * 5}</section><div>{P * 2}</div>",
        f"<div class=elementor-widget-wrap>{''.join(f'<div class=elementor-widget>{P}</div>' * 5)}</div>",
        f"<object>{P * 5}",
        f"<div style='display:none'>{P * 5}</div>",
        f"<div class=newsletter>{P * 5}</div>",
    ],
)  # fmt: skip
def test_the_core_is_found_whatever_stands_around_it(page: str) -> None:
    assert text_of(page) == "\n\n".join([PROSE] * 5)


@pytest.mark.parametrize("depth", range(6))
def test_lists_stay_however_close_to_the_body(depth: int) -> None:
    body = f"<h1>Bread</h1>{P}<ul><li>500 g flour</li><li>7 g yeast</li></ul>{P}"
    assert text_of("<div>" * depth + body) == f"Bread\n\n{PROSE}\n\n500 g flour\n7 g yeast\n\n{PROSE}"


def test_chinese_pages_of_links_keep_their_sentences() -> None:
    sentence = "<p><a href=/1>灯塔</a>是<a href=/2>港口</a>的<a href=/3>建筑物</a>，<a href=/4>守塔人</a>住了三十年。</p>"
    assert "灯塔是港口的建筑物，守塔人住了三十年。" in text_of(f"<div class=wrap>{sentence}{ZH}</div>")


@pytest.mark.skipif(not os.environ.get("WINNOW_EVAL_DATA"), reason="WINNOW_EVAL_DATA is not set")
def test_quality_on_pages_with_gold_text() -> None:
    from tests.bench.pages import gold_pages

    scores = [precision_and_recall(text_of(page.html), page.gold) for page in gold_pages()]
    precision, recall = (sum(values) / len(scores) for values in zip(*scores, strict=True))
    assert f1(precision, recall) > 0.88 and precision > 0.89
