"""What an element of a page calls itself, by its tag, role, id and classes.

The names are those of HTML, ARIA, microdata and microformats, of the systems that many sites are made with (WordPress,
Blogger, MediaWiki, Disqus, highlighters of code), and English words as web designers use them everywhere; most are also in
Readability's and trafilatura's lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.read.child.markup import Marks, words

SUSPECT, COMMENTS, NOTE = 1, 2, 3
"""A note to the text is an aside of no name."""
ARTICLE, POST, MAIN = 1, 2, 3

NO_TEXT = words("svg select option optgroup datalist template noscript")
CORES = words("div article section main td span blockquote center form")
"""Elements that may hold a page's text."""
_SUSPECTS = words("nav footer aside dialog form fieldset button object applet canvas audio video")
_SUSPECT_ROLES = words("navigation banner contentinfo complementary search dialog alertdialog alert menu menubar toolbar tooltip")


def _part(words: str) -> str:
    """A pattern for an id or a class of which one of these is a word."""
    return rf"[ -](?:{'|'.join(words.split())})(?=[ -])"


def _whole(names: str) -> str:
    """A pattern for an id or a class that is one of these."""
    return rf" (?:{'|'.join(names.split())})(?= )"


_SUSPECT_NAMES = re.compile(
    _part("""
        nav navigation navbar navi subnav topnav sidenav menus? submenu breadcrumbs? crumbs? side-?bars? footer masthead
        share sharing sharedaddy sharebar social sociable addthis addtoany follow toolbox links (?:skip|jump)-?(?:link|to)
        related recommend(?:ed|ations?)? recirc recent popular trending outbrain taboola zergnet teasers? promos? promotions?
        most-?(?:read|viewed|popular|commented|shared|recent|emailed) widgets? carousel slideshow blogroll trackbacks? pingbacks?
        newsletters? subscri(?:be|ption) sign-?up log-?in cookies? consent gdpr popup pop-?up modal lightbox searchform
        banners? adv adverts? advertis(?:ing|ements?) adsense adsbygoogle dfp sponsor(?:ed|s)? copyright disclaimer
        pagination pager paging noprint screen-?reader sr-only visually-?hidden author postauthor metadata postmetadata
        (?:post|entry|article)-?info polls? (?:photo|image)-?credit feeds? edit-?link editsection mathjax-preview
        ad-?(?:slot|container|wrapper|unit|placeholder|label|block|box) (?:inline|in-article|inarticle)-?(?:ad|promo)
        relatedposts yarpp recirculation (?:read|up)-?next more-?(?:on|from|stories|news|articles|posts) also-?read you-may
        latest-?(?:news|stories|posts|articles) paywall onetrust jwplayer vjs ticker (?:site|global|top)-?header
        (?:post|entry|article)-?(?:topics|keywords|labels|categories|actions|tools)
    """)
    + "|"
    + _whole("""
        ads? tags? (?:post|entry|article)-?(?:tags|meta) tag-?(?:list|cloud|links) meta byline cat-?links categories
        archives? calendar print search next prev previous foot bottom hide hidden ratings? feedback options buttons? tools
        toolbar rail utility legal rss more read-?more toc
        linenos? line-number gutter rouge-gutter blob-num hljs-ln-numbers lnum
    """)
)
_COMMENT_NAMES = re.compile(
    _part("""
        comments? commentlist comment-?(?:list|section|area|form|respond) disqus-thread dsq respond replies livefyre
        fb-comments responses spot-?im coral viafoura
    """)
)
_ARTICLE_NAMES = re.compile(
    _part("""
        (?:post|entry|article|story|blog|blogpost|news|art)-?(?:content|body|text|entry|bodycopy|main|copy|paragraphs?)
        body-?(?:text|copy|content) content-?body text-?body main-?text full-?text field-name-body mw-parser-output
        markdown-body instapaper-body e-content rich-?text wysiwyg
    """)
    + "|"
    + _whole("entry post article story articletext storytext articlecontent bodytext fulltext")
)
_POST_NAMES = re.compile(_part("hentry article post story blog-post single-post h-entry"))
_MAIN_NAMES = re.compile(
    _whole("contents? main main-?content content-main primary page-content body (?:center|main|left)-?col(?:umn)?")
)
_ABOUT_POST = re.compile(r"(?<= )(?:author|category|tag|cat|topic|format|type|status|comments|post-format)-[^ ]+ ")
"""Classes that WordPress gives a post: they say what it is about."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`suspect`: why it may not be main text: SUSPECT, COMMENTS, NOTE or 0. `holds`: what it is: ARTICLE, POST, MAIN or 0."""

    suspect: int = 0
    holds: int = 0


PLAIN = Kind()


def kind_of(name: str, marks: Marks) -> Kind:
    """Kind of an element of that tag."""
    names = marks.names.replace("elementor-widget", "elementor")  # whose every block is a widget
    if " hentry " in names or " post " in names:
        names = _ABOUT_POST.sub("", names)
    if _COMMENT_NAMES.search(names):
        return Kind(COMMENTS)
    if name == "aside" and not names and not marks.role:
        return Kind(NOTE)
    suspect = SUSPECT if name in _SUSPECTS or marks.role in _SUSPECT_ROLES or _SUSPECT_NAMES.search(names) else 0
    if name not in CORES:
        return Kind(suspect)
    if "articleBody" in marks.itemprop or _ARTICLE_NAMES.search(names):
        return Kind(suspect, ARTICLE)
    if name == "article" or _POST_NAMES.search(names):
        return Kind(suspect, POST)
    return Kind(suspect, MAIN if name == "main" or marks.role == "main" or _MAIN_NAMES.search(names) else 0)
