"""Which file of which case is run how, and what is expected of the run: our reading of the cases' README, as data.

A case is named by the end of its folder's name. `RUNS` are single runs; what takes several is in `stories.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.cases import languages
from tests.cases.expect import (
    Expect,
    bad,
    both,
    column,
    counts,
    either,
    ids,
    kept,
    metadata,
    metadata_begins,
    names_lack,
    none_read,
    refused,
    texts_have,
    texts_lack,
    told,
)
from tests.cases.pages import code_lines, every_character, items_apart, lines, rows_together
from tests.cases.records import pages, same_ids, same_numbers


@dataclass(frozen=True)
class Run:
    case: str
    file: str
    """Below the case's folder; `.` is the folder itself."""
    expect: Expect
    set: tuple[str, ...] = ()
    plan: str = "none"


ANY_BAD = ("source.max_bad_fraction=1",)


def _folders() -> list[Run]:
    case = "spark-folder"
    parts = {f"mixed/part-0000{n}{end}": 3 for n, end in enumerate(
        (".jsonl", "-aa-c000.json", ".jsonl.bz2", ".jsonl.xz", "", ".jsonl.gzip", ".pq")
    )}  # fmt: skip
    whole = {"mixed": 21, "json_only": 9, "noext": 3, "onejson": 6, "noext/part-00000": 3, "onejson/b.json": 3}
    return [Run(case, file, kept(count)) for file, count in (whole | parts).items()]


def _json() -> list[Run]:
    case = "json-array"
    arrays = [Run(case, file, kept(40)) for file in ("alpaca.json", "pretty.json", "array.jsonl")]
    other = [Run(case, f, either(kept(40), refused(f))) for f in ("wrapped.json", "columns.json", "nolinebreak.jsonl")]
    return [*arrays, *other, Run(case, "mostly.jsonl", either(kept(240), refused("mostly.jsonl")))]


def _ids() -> list[Run]:
    case = "big-ids"
    numbers = both(same_ids(), same_numbers("tweet_id"), same_numbers("big"))
    names = ("decimal.parquet", "uint64.parquet", "uuid.parquet", "float.parquet", "dict.parquet")
    return [
        Run(case, "ids.jsonl", numbers),
        Run(case, "collide.jsonl", both(same_ids(), same_numbers("conv"))),
        *(Run(case, name, same_ids()) for name in names),
    ]


def _archives() -> list[Run]:
    case = "warc-encodings"
    members = pages(
        whole="plain chunked chunkext gzip chunkgzip deflate rawdeflate liechunk liegzip xgzip identity none utf8 lower",
        whole_or_bad="br chunkbr zstd twice",
        bad="cutgzip cutchunk",
    )
    one, two, four = pages(whole="plain"), pages(whole="plain chunked"), pages(whole="plain chunked chunkext gzip")
    or_bad = either(one, bad(1), refused())
    wholes = {
        one: "wget lower_length lower_type upper_type sib_ctype sib_noctype sib_tabs sib_nospace sib_fold sib_h2",
        or_bad: "lf_only lf_headers sib_spacebefore",
        two: "v11 lower v11_lower",
        four: "plain",
    }
    runs = [Run(case, f"{name}.warc", expect) for expect, names in wholes.items() for name in names.split()]
    return [
        Run(case, "members.warc.gz", members, ANY_BAD),
        Run(case, "one_member.warc.gz", four),
        *runs,
        Run(case, "sib.wet", kept(1)),
        Run(case, "sib_ok.wet", kept(1)),
    ]


def _columns() -> list[Run]:
    four, years = kept(4), both(kept(4), metadata_begins("when", "2024-01-01", "9999-12-31", "0001-01-01"))
    expected = {
        **dict.fromkeys(("large", "view", "bytes", "brotli", "lz4", "zstd", "delta"), four),
        "dict": kept(8),
        "badbytes": bad(4, "utf-8"),
        "list": told("text", "list"),
        "struct": told("text", "struct"),
        "messages": told("messages", "source.text"),
        "upper": either(four, told("Text", "source.text")),
        "dots": told("doc.text", "source.text"),
        "twice": bad(4, "two columns", "text"),  # over the budget of a run that does not accept them
        "encrypted": told("encrypted"),
        "encrypted_plainfooter": told("encrypted"),
        "empty": none_read(),
        "nogroups": none_read(),
        "nulls": counts(keep=1, drop=2, bad=1),
        "nested": both(four, metadata("d", *["1.10"] * 4), metadata_begins("day", "2024-02-29")),
        "int96": years,
        "year9999": years,
        "ns": both(four, metadata_begins("when", "1970-01-01", "2116-02-20", "1823-11-12")),
        "outofrange": four,
        "dates": both(
            four, ids("1", "2", "3", "4"), either(metadata_begins("date", "2024-01-01"), column("date", *["2024-01-01"] * 4))
        ),
    }
    return [Run("parquet-types", f"{name}.parquet", expect, ANY_BAD) for name, expect in expected.items()]


def _pages() -> list[Run]:
    every, code = every_character(), both(every_character(), code_lines())
    items, joined = both(every_character(), items_apart()), both
    expected = {
        **dict.fromkeys(("pre.html", "highlight.html", "lines.html", "gutter.html"), code),
        "table.html": both(every, rows_together()),
        "list.html": items,
        "breaks.html": both(every, lines(5)),
        "inline.html": joined(every, texts_have(".get_queryset()", "super()", "unbelievable")),
        "math.html": every,
        "entities.html": every,
        **{f"ul/depth{depth}.html": items for depth in range(6)},
        **{f"wiki/{language}.html": every for language in ("en", "hi", "ja", "zh")},
        "cjk/not.html": joined(every, texts_have("药不可", "品无毒")),
        "cjk/chapters.html": joined(every, texts_have("第一章", "第二章")),
        "cjk/br.html": both(every, lines(6)),
        "cjk/price.html": joined(every, texts_have("€5", "₹20")),
        "cjk/hindi.html": every,
        "cjk/ruby.html": every,
        **{f"more/ruby{n}.html": every for n in (1, 2, 3)},
        **{f"more/{name}.html": items for name in ("recipe_ul", "ul_nested", "ul_flat", "ul_long", "ol_short")},
        "more/select.html": every,
        "more/mathml.html": texts_have("$\\pi r^2$", "$E=mc^2$"),  # TeX, where the page gives it
    }
    return [Run("html-code", file, expect) for file, expect in expected.items()]


def _languages() -> list[Run]:
    case, on = "langid", "filters.language.keep="
    return [
        Run(case, "l.jsonl", languages.wanted(), (f"{on}all",)),
        Run(case, "caps.jsonl", languages.same_in_capitals(), (f"{on}all",)),
        Run(case, "l.jsonl", languages.keeps("croatian", "bosnian", "serbian_latn"), (f"{on}[hr, sr, bs]",)),
        Run(case, "l.jsonl", refused("qqq"), (f"{on}[qqq]",)),
        Run(case, "l.jsonl", refused("english", "en"), (f"{on}[english]",)),
    ]


def _cut() -> list[Run]:
    case = "truncated"
    streams = ("gz/half.jsonl.gz", "zst/half.jsonl.zst", "warc/half.wet.gz")
    return [
        *(Run(case, file, refused(file.rpartition("/")[2])) for file in streams),
        *(Run(case, file, told("end"), ANY_BAD) for file in streams),
        Run(case, "csv/quote.csv", refused("quote.csv")),
        Run(case, "csv/quote.csv", told("quote"), ANY_BAD),
        Run(case, "plain/half.jsonl", either(bad(1), refused("half.jsonl"))),
        Run(case, "pq/groups.parquet", refused("groups.parquet")),
        Run(case, "pq/groups.parquet", refused("groups.parquet"), ("source.max_bad_fraction=0.3",)),
        Run(case, "pq/groups.parquet", both(told("200"), texts_have("story 0.", "story 599.")), ("source.max_bad_fraction=0.4",)),
        Run(case, "warc2.wet.gz", kept(300)),
    ]


def _paths() -> list[Run]:
    case = "paths"
    names = (
        "sp ace/a b.jsonl [D_DATA]/x[1].jsonl ünïcödé/文件.jsonl hash#dir/f#1.jsonl pct%20dir/f%2Fx.jsonl -dash/-f.jsonl"
        " quote'dir/f\"q.jsonl star*dir/f?.jsonl new\nline/f.jsonl UPPER/F.JSONL dots..dir/f..jsonl $HOME/f.jsonl"
        " ~tilde/f.jsonl emoji😀/f.jsonl"
    )  # a name with a space within is put together again below
    found = [*names.replace("sp ace/a b", "sp\0ace/a\0b").replace("\n", "\1").split(), "trail\0/f.jsonl"]
    files = [name.replace("\0", " ").replace("\1", "\n") for name in found]
    hive = both(kept(4), metadata("lang", "de", "de", "en", "en"), metadata("year", *["2024"] * 4))
    return [
        Run(case, "t", kept(34)),
        *(Run(case, f"t/{file}", kept(2)) for file in files),
        *(Run(case, f"t/{file}/", kept(2)) for file in sorted({file.rpartition("/")[0] for file in files})),
        Run(case, "hive", hive),
        Run(case, "links", told("broken.jsonl")),
    ]


def _windows() -> list[Run]:
    case, five = "windows-files", ids("d0", "d1", "d2", "d3", "d4")
    read = both(kept(5), five, names_lack("\ufeff", "ufeff"))
    either_way = ("cr.jsonl", "boms.jsonl", "rs.jsonl", "comma_end.jsonl", "cr.csv", "sep.csv")
    expected: dict[str, Expect] = {
        **dict.fromkeys(("bom.jsonl", "crlf.jsonl", "bom.csv", "crlf.csv", "quoted_header.csv"), read),
        **{name: either(read, refused(name)) for name in either_way},
        **{name: either(read, refused(name, "UTF-16")) for name in ("utf16.jsonl", "utf16le_nobom.jsonl", "utf16.csv")},
        "utf32.jsonl": either(read, refused("utf32.jsonl", "UTF-32")),
        "utf16.txt": either(kept(1), refused("utf16.txt", "UTF-16")),
        "latin1.jsonl": refused("latin1.jsonl", "UTF-8"),
        "cp1252.txt": refused("cp1252.txt", "UTF-8"),
        "nan.jsonl": either(read, refused("nan.jsonl", "NaN")),
        "inf.jsonl": either(read, refused("inf.jsonl", "Infinity")),
        "single_quotes.jsonl": refused("single_quotes.jsonl", "JSON"),
        "comments.jsonl": refused("comments.jsonl"),
        "dupkeys.jsonl": either(both(read, texts_lack("first")), refused("dupkeys.jsonl", "text")),
        "semicolon.csv": either(read, refused("semicolon.csv", "text;id")),
        "nul.csv": either(both(five, names_lack("\0")), refused("nul.csv", "NUL")),
        "header_spaces.csv": either(read, refused("header_spaces.csv", "source.text")),
        "header_case.csv": either(kept(5), refused("header_case.csv", "Text", "source.text")),
        "dup_header.csv": refused("dup_header.csv", "text"),
        "pandas_index.csv": read,
        "noheader.csv": refused("noheader.csv", "source.text"),
        "trailing_comma.csv": either(read, refused("trailing_comma.csv")),
        "longfield.csv": kept(1),
        "backslash.csv": either(kept(2), refused("backslash.csv")),
        "x.tsv": both(kept(2), ids("b", "c"), texts_have('"quoted"')),
        "crlf.txt": both(kept(1), texts_lack("\r")),
    }
    return [Run(case, file, expect) for file, expect in expected.items()]


def _order() -> list[Run]:
    case, keep = "keep-order", "dedup.keep=[{}]"
    rows = [
        ("x.jsonl", "score desc", ids("int100", "float100", "neg2", "str100", "big100")),
        ("x.jsonl", "score asc", ids("int2", "float2", "neg100", "str2", "big2")),
        ("mix.jsonl", "score desc", ids("mix2")),
        ("dates.jsonl", "date desc", ids("d2")),
        ("dates.jsonl", "date asc", either(ids("d1"), ids("d3"))),
        ("typed.parquet", "date desc", ids("p1")),
        ("typed.parquet", "crawl desc", ids("p2")),
        ("n.csv", "score desc", ids("csv100")),
        ("n.csv", "score asc", ids("csv2")),
        ("x.jsonl", "nosuch desc", refused("nosuch")),
    ]
    return [Run(case, file, expect, (keep.format(order),), "minimal") for file, order, expect in rows]


PARTS = (_folders, _json, _ids, _archives, _columns, _pages, _languages, _cut, _paths, _windows, _order)
RUNS = tuple(run for part in PARTS for run in part())
