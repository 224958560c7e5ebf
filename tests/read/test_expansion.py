"""Paths to input files: what is found, how it is called, and what is refused with which words."""

import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pytest

from pipeline import read
from pipeline.errors import InputError, NotYet
from pipeline.read.expansion import expand, told_apart
from pipeline.read.files import Inputs
from pipeline.read.source import Source


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"notes" if name.endswith(NO_DATA) else b'{"text":"a"}\n')
    return root


NO_DATA = (".org", ".docx", ".xlsx", "noending")
"""Endings of files without rows."""


def paths(*wanted: object, base: Path | None = None, **settings: object) -> list[str]:
    return [file.path for file in expand([Source(paths=tuple(map(str, wanted)), **settings)], base=base).files]


def passed(made: Inputs) -> dict[str, list[str]]:
    return {one.reason: list(one.paths) for one in made.passed_over}


CRAWL = (
    "crawl/a.jsonl",
    "crawl/B.JSONL.GZ",
    "crawl/2024/b.jsonl.zst",
    "crawl/2024/deep/c.parquet",
    "crawl/2025/b.json.gz",
    "crawl/.hidden.jsonl",
    "crawl/_temporary/x.jsonl",
    "crawl/2024/.cache/x.jsonl",
    "crawl/notes.org",
)
ALL = ["crawl/2024/b.jsonl.zst", "crawl/2024/deep/c.parquet", "crawl/2025/b.json.gz", "crawl/B.JSONL.GZ", "crawl/a.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("crawl", ALL),
        ("crawl/", ALL),
        ("./crawl/../crawl", ALL),
        ("crawl/**", ALL),
        ("crawl/**/*", ALL),
        ("crawl/*.jsonl", ["crawl/a.jsonl"]),
        ("crawl/*/*.zst", ["crawl/2024/b.jsonl.zst"]),
        ("crawl/**/b.*", ["crawl/2024/b.jsonl.zst", "crawl/2025/b.json.gz"]),
        ("crawl/202[45]/b.*", ["crawl/2024/b.jsonl.zst", "crawl/2025/b.json.gz"]),
        ("crawl/202[!4]/b.*", ["crawl/2025/b.json.gz"]),
        ("crawl/2**4/b.*", ["crawl/2024/b.jsonl.zst"]),  # as in a shell: two stars within a name are one
        ("crawl/202?/*", ["crawl/2024/b.jsonl.zst", "crawl/2025/b.json.gz"]),
        ("crawl/2024/deep", ["deep/c.parquet"]),
        ("crawl/2024/**/*.parquet", ["2024/deep/c.parquet"]),
        ("crawl/2024/b.jsonl.zst", ["2024/b.jsonl.zst"]),
        ("crawl/.hidden.jsonl", ["crawl/.hidden.jsonl"]),
        ("crawl/_temporary", ["_temporary/x.jsonl"]),
    ],
)
def test_which_files_and_what_they_are_called(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    tree(tmp_path, *CRAWL)
    assert paths(pattern, base=tmp_path) == expected
    assert paths(tmp_path / pattern) == expected
    assert paths(f"file://{tmp_path}/{pattern}") == expected


def test_disk_and_object_store_give_the_same_paths(tmp_path: Path) -> None:
    tree(tmp_path, *CRAWL)
    memory = fsspec.filesystem("memory")
    for name in CRAWL:
        memory.pipe(f"/bucket/data/{name}", (tmp_path / name).read_bytes())
    try:
        for pattern in ("crawl", "crawl/**/b.*", "crawl/*.jsonl", "crawl/2024/b.jsonl.zst"):
            local = expand([Source(paths=(f"{tmp_path}/{pattern}",))])
            remote = expand([Source(paths=(f"memory://bucket/data/{pattern}",))])
            assert [(f.path, f.source, f.format, f.compression) for f in local.files] == [
                (f.path, f.source, f.format, f.compression) for f in remote.files
            ]
            assert local.passed_over == remote.passed_over
            assert all(file.url.startswith("memory://") and ".." not in file.path for file in remote.files)
    finally:
        memory.store.clear()


def test_a_web_address_is_called_without_its_query(tmp_path: Path) -> None:
    tree(tmp_path, "dumps/a.jsonl")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/dumps/a.jsonl?version=2"
        (file,) = expand([Source(paths=(url,))]).files
        assert (file.path, file.source, file.url, file.size) == ("dumps/a.jsonl", "dumps", url, 13)
        (unit,) = read.units_of(file).units or ()
        assert read.read(unit).documents["text"].to_pylist() == ["a"]
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_settings_and_names_come_from_the_source(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.jsonl", "b/y.jsonl")
    (x, y) = expand([Source(paths=("a", "b/*.jsonl"), priority=2, text="t", unit_bytes=5000)], base=tmp_path).files
    assert [(f.source, f.priority, f.text, f.unit_bytes, f.size) for f in (x, y)] == [
        ("a", 2, "t", 5000, 13),
        ("b", 2, "t", 5000, 13),
    ]
    assert {file.source for file in expand([Source(paths=("a", "b"), name="n")], base=tmp_path).files} == {"n"}


def test_files_are_sorted_by_the_bytes_of_their_paths(tmp_path: Path) -> None:
    tree(tmp_path, "d/é.jsonl", "d/z.jsonl", "d/Z.jsonl", "d/\ufb01.jsonl", "d/\U0001f469.jsonl", "d/a/b.jsonl", "d/a.jsonl")
    made = paths("d", base=tmp_path)
    assert made == sorted(made, key=str.encode) and len(made) == 7


def test_a_name_with_wildcard_characters_is_found_as_it_is(tmp_path: Path) -> None:
    tree(tmp_path, "d[1]/a*.jsonl", "d1/a.jsonl", "d^/a.jsonl")
    assert paths("d[1]/a*.jsonl", base=tmp_path) == ["d[1]/a*.jsonl"]
    assert paths("d[1]", base=tmp_path) == ["d[1]/a*.jsonl"]
    assert paths("d[^\\[]/*.jsonl", base=tmp_path) == [f"{tmp_path.name}/d^/a.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("crawl/{2024,2025}/b.*", ["crawl/2024/b.jsonl.zst", "crawl/2025/b.json.gz"]),
        ("crawl/202{4,5}", ["crawl/2024/b.jsonl.zst", "crawl/2024/deep/c.parquet", "crawl/2025/b.json.gz"]),
        ("crawl/{2024/deep/c,2024/b}.*", ["crawl/2024/b.jsonl.zst", "crawl/2024/deep/c.parquet"]),
        ("crawl/{202{4,5}/b.*,a.jsonl}", ["crawl/2024/b.jsonl.zst", "crawl/2025/b.json.gz", "crawl/a.jsonl"]),
        ("crawl/{a,a,B}.{jsonl,JSONL}*", ["crawl/B.JSONL.GZ", "crawl/a.jsonl"]),
        ("cra{wl,wl/2024}/*.*", ["{}/crawl/2024/b.jsonl.zst", "{}/crawl/B.JSONL.GZ", "{}/crawl/a.jsonl"]),
    ],
)
@pytest.mark.parametrize("remote", [False, True])
def test_braces_stand_for_each_of_their_paths(tmp_path: Path, pattern: str, found: list[str], remote: bool) -> None:
    names = [f"{tmp_path.name}/{name}" for name in (*ALL, "crawl/2024/.hidden", "crawl/2025/README.md")]
    where = tmp_path.parent
    tree(where, *names)
    memory = fsspec.filesystem("memory")
    if "{jsonl,JSONL}" in pattern:
        with pytest.raises(InputError, match=r"nothing matches .*/crawl/a\.JSONL\*, for which its braces stand"):
            paths(pattern, base=tmp_path)
        return
    try:
        if remote:
            for name in names:
                memory.pipe(f"/{name}", (where / name).read_bytes())
        made = expand([Source(paths=(f"memory://{tmp_path.name}/{pattern}" if remote else pattern,))], base=tmp_path)
        assert [file.path for file in made.files] == [name.replace("{}", tmp_path.name) for name in found]
        over = {path for paths in passed(made).values() for path in paths}
        hidden = {"crawl/202{4,5}": {"crawl/2024/.hidden", "crawl/2025/README.md"}}
        hidden["cra{wl,wl/2024}/*.*"] = {f"{tmp_path.name}/crawl/2024/.hidden"}
        assert over == hidden.get(pattern, set())
    finally:
        memory.store.clear()


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{a,b}" * 11, "stand for more than 1,000 paths"),
        ("{" + "a," * 2_000 + "b}", "more than 1,000|nothing matches"),
        ("{a" + ",b" * 8_000 + "}", "at most 10,000 characters"),
        ("{{{{a,b},c},d},e}" * 8, "more than 1,000 paths"),
        ("crawl/{2024,2026}/*", "crawl/2026: no such folder"),
        ("crawl/2024/{b,x}.*", r"nothing matches .*/crawl/2024/x\.\*, for which"),
        ("crawl/{../../etc,2024}/*", "no such folder|`..` in braces"),
        ("crawl/{2024", "no such file"),
        ("crawl/{2024}/*", "no such folder"),
        ("{,}" * 3_000, "more than 1,000|nothing matches|at most"),
    ],
)
def test_braces_that_stand_for_nothing_or_too_much(tmp_path: Path, pattern: str, words: str) -> None:
    tree(tmp_path, *ALL)
    start = time.process_time()
    with pytest.raises(InputError, match=words):
        paths(pattern, base=tmp_path)
    assert time.process_time() - start < 1


def test_names_with_braces_are_found_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path, "{a,b}/x.jsonl", "a/y.jsonl", "b/z.jsonl", "c/{d}.jsonl")
    assert paths("{a,b}/*.jsonl", base=tmp_path) == ["{a,b}/x.jsonl"]
    assert paths("c/{d}.jsonl", "{b,c}/*", base=tmp_path) == [
        "c/{d}.jsonl",
        f"{tmp_path.name}/b/z.jsonl",
        f"{tmp_path.name}/c/{{d}}.jsonl",
    ]


def test_formats_of_a_later_release_beside_supported_files_are_named(tmp_path: Path) -> None:
    tree(tmp_path, "d/a.jsonl", "d/b.arc", "d/c.arc.gz")
    made = expand([Source(paths=("d",))], base=tmp_path)
    assert [file.path for file in made.files] == ["d/a.jsonl"]
    assert passed(made) == {"a format of a later release": ["d/b.arc", "d/c.arc.gz"]}


def test_links_to_folders_are_not_followed_and_named(tmp_path: Path) -> None:
    tree(tmp_path, "d/a.jsonl", "other/b.jsonl")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "loop2").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "file.jsonl").symlink_to(tmp_path / "other" / "b.jsonl")
    made = expand([Source(paths=("d",))], base=tmp_path)
    assert [file.path for file in made.files] == ["d/a.jsonl", "d/file.jsonl"]
    assert passed(made) == {"a link to a folder, which is not followed": ["d/loop/", "d/loop2/"]}
    (tmp_path / "d" / "loop").unlink()
    (tmp_path / "d" / "loop2").unlink()
    (tmp_path / "d" / "broken.jsonl").symlink_to(tmp_path / "nowhere")
    assert passed(expand([Source(paths=("d",))], base=tmp_path)) == {"a link to nothing": ["d/broken.jsonl"]}
    (tmp_path / "link").symlink_to(tmp_path / "other")
    assert paths("link", base=tmp_path) == ["link/b.jsonl"]
    assert paths("link/../other", base=tmp_path) == ["other/b.jsonl"]


@pytest.mark.parametrize("name", ["a.arc", "a.ARC.gz"])
def test_a_documented_format_of_a_later_release(tmp_path: Path, name: str) -> None:
    tree(tmp_path, f"d/{name}")
    for path in (f"d/{name}", "d", "d/*"):
        with pytest.raises(NotYet, match=r"\.jsonl.*\.parquet") as error:
            paths(path, base=tmp_path)
        assert path in str(error.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("d/a.docx", "d/a.docx: text of no format that its content tells; rename it"),
        ("d/noending", "text of no format"),
        ("d", r"among the 3 found can be read \(3 files, text of no format .*: d/a.docx, d/b.xlsx, d/noending\)"),
        ("d/*x", r"among the 2 found"),
        ("empty", "empty: matches no file in .*hidden files"),
        ("d/*.jsonl", "matches no file"),
        ("nothing/*.jsonl", "nothing: no such folder"),
        ("nothing", "nothing: no such file or folder in "),
        ("/nothing/at/all", "no such file or folder$"),
        ("~/nothing/at/all.jsonl", "no such file or folder$"),
        ("memory://nothing/here", "no such file or folder$"),
        ("d/[z-a]*", "matches no file"),
        ("memory://d/../a.jsonl", "write the folder itself"),
        ("nosuch://bucket/a.jsonl", "nosuch"),
        ("simplecache::memory://x/a.jsonl", "chained"),
        ("hf://models/a/b", "expected hf://datasets/ORG/NAME"),
        ("hf://datasets/a", "expected hf://datasets/ORG/NAME"),
    ],
)
def test_what_is_not_there_or_not_known(tmp_path: Path, path: str, words: str) -> None:
    tree(tmp_path, "d/a.docx", "d/b.xlsx", "d/noending", "empty/.x.jsonl")
    with pytest.raises(InputError, match=words):
        paths(path, base=tmp_path)


def test_no_input_at_all() -> None:
    with pytest.raises(InputError, match="no input"):
        expand([])


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@example.org/a.jsonl",
        "sftp://hunter2@example.org/a.jsonl",
        "https://h.org/a.jsonl?X-Amz-Signature=hunter2",
        "https://h.org/a.csv?user=me&password=hunter2",
        "https://h.org/a.jsonl?v=1&x-goog-signature=hunter2",
        "https://h.blob.core.windows.net/c/a.parquet?sv=1&sig=hunter2",
        "https://h.org/a.jsonl?token=hunter2",
        "https://h.org/a.jsonl?access_token=hunter2",
        "simplecache::https://me:hunter2@h.org/a.jsonl",
        "hf://datasets/a/b?token=hunter2",
    ],
)
def test_urls_with_secrets_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InputError, match="environment") as error:
        paths(url)
    assert "hunter2" not in str(error.value)


def test_inputs_of_one_name_are_told_apart_by_the_folders_above_them(tmp_path: Path) -> None:
    tree(tmp_path, "one/crawl/a.jsonl", "two/crawl/a.jsonl", "two/x/crawl/b.jsonl", "one/x/crawl/b.jsonl", "one/crawl/c.jsonl")
    assert paths("one/crawl", "two/crawl/*.jsonl", base=tmp_path) == ["crawl/c.jsonl", "one/crawl/a.jsonl", "two/crawl/a.jsonl"]
    assert paths("one/x/crawl", "two/x/crawl", base=tmp_path) == ["one/x/crawl/b.jsonl", "two/x/crawl/b.jsonl"]


def test_one_input_twice_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "one/crawl/a.jsonl")
    with pytest.raises(InputError, match=r"two inputs of source crawl are called crawl/a\.jsonl"):
        paths("one/crawl", "one/crawl/*.jsonl", base=tmp_path)


def test_files_of_two_sources_are_told_apart_by_the_sources_name(tmp_path: Path) -> None:
    tree(tmp_path, "one/crawl/a.jsonl", "two/crawl/a.jsonl", "two/crawl/b.jsonl")
    files = expand([Source(paths=("two/crawl",), name="t"), Source(paths=("one/crawl",), name="o")], base=tmp_path).files
    assert [file.path for file in files] == ["crawl/b.jsonl", "o//crawl/a.jsonl", "t//crawl/a.jsonl"]
    apart = told_apart(files, {"crawl/a.jsonl": "o", "crawl/b.jsonl": "elsewhere"})
    assert [file.path for file in apart] == ["crawl/a.jsonl", "t//crawl/a.jsonl", "t//crawl/b.jsonl"]


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "d/a\udcff.jsonl")
    with pytest.raises(InputError, match="UTF-8"):
        paths("d", base=tmp_path)
