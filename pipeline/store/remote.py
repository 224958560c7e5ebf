"""Files on object stores, over fsspec: what `pipeline.store.store` and `pipeline.read` ask of them, counted and with clear
errors.

Invariants: a name that exists is whole, since a file gets it in one completed upload; nothing here renames a file that others
read; nothing listed or looked up comes from a cache; no message holds a secret. Credentials come from the environment, where
each store's own client finds them.

Not obstore (tried: 0.12.1, against moto). Its errors have types and it tries again by itself. But a create-only write is one
request to it, so that a stream of 128 MB took 289 MB of memory, where ours goes off in parts of 16 MB; it knows no memory://,
gcs://, sftp:// and hf://, so that fsspec would stay beside it; and what it raises for a taken name is no OSError.

Sources: S3File.commit (s3fs), GCSFile.commit (gcsfs) and AzureBlobFile._async_upload_chunk (adlfs) give a file its name when all
its parts are there, with `If-None-Match: *` (GCS: ifGenerationMatch=0) for mode "xb".
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import fsspec

from pipeline.errors import UsageError, WinnowError
from pipeline.records.base import Json
from pipeline.store import http_file, http_host
from pipeline.store.secrets import without_secrets
from pipeline.store.traffic import Traffic

STREAMED = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az")
"""Stores whose clients upload in parts and name the file at the end."""
FLAT = (*STREAMED, "memory")
"""Stores without folders: names hold slashes, and nothing has to be made for them."""
_DRIVERS = {
    "s3": "winnow-curation[s3]",
    "s3a": "winnow-curation[s3]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    **dict.fromkeys(("abfs", "abfss", "az"), "adlfs"),
}
DELETED_AT_ONCE = 1_000
"""S3's limit for one request."""
_TRIES = 4
"""Tries of a create-only write while another one of the same name is going on (S3 answers 409 then)."""

_CLIENTS = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "paramiko", "requests", "s3fs", "urllib3")
"""Packages whose errors are about the store and are no OSErrors."""


def scheme_of(url: str) -> str:
    """`s3` of `s3://bucket/key`; `file` of a local path."""
    return url.partition("://")[0].lower() if "://" in url else "file"


def names_of(scheme: str) -> tuple[str, ...]:
    """The schemes that name the same store."""
    same = (("s3", "s3a"), ("gs", "gcs"), ("abfs", "abfss", "az"), http_host.SCHEMES)
    return next((group for group in same if scheme in group), (scheme,))


def filesystem(url: str, *, error: type[UsageError]) -> tuple[Any, str]:
    """`(fs, path)` of a URL, without a cache of listings. Raises `error` where the driver is missing or the scheme unknown."""
    scheme = scheme_of(url)
    if scheme in http_host.SCHEMES:
        return http_file.Web(), url
    options = {"use_listings_cache": False} if scheme in STREAMED else {}
    try:
        fs, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as missing:
        package = _DRIVERS.get(scheme)
        todo = f"pip install '{package}'" if package else without_secrets(str(missing))
        raise error(f"{scheme}://: its driver is not installed; {todo}") from missing
    except ValueError as unknown:
        raise error(f"{scheme}://: {without_secrets(str(unknown))}") from unknown
    if scheme in names_of("s3"):
        _try_again_where_busy()
    return fs, str(path)


_BUSY = (500, 502, 503, 504)


def _try_again_where_busy() -> None:
    """s3fs tries again, five times, what it knows as busy by the words of the answer; an answer to HEAD has no words."""
    from s3fs.core import set_custom_error_handler

    def busy(error: BaseException) -> bool:
        answer = getattr(error, "response", None)
        return isinstance(answer, dict) and answer.get("ResponseMetadata", {}).get("HTTPStatusCode") in _BUSY

    set_custom_error_handler(busy)


def identity_of(scheme: str, info: Json) -> str:
    """What a store says of a file's content, such that another content has another one; empty where it says nothing.

    S3: the ETag; Google: the MD5, else the generation; Azure, web servers: the ETag. A weak ETag says nothing.
    """
    if scheme in http_host.SCHEMES:
        return http_file.identity_of(str(info.get("ETag") or ""))
    store = names_of(scheme)[0]
    value = {
        "s3": info.get("ETag"),
        "gs": info.get("md5Hash") or info.get("generation"),
        "abfs": info.get("etag"),
    }.get(store)
    text = re.sub(r"[^A-Za-z0-9+/=._-]", "", str(value or ""))
    return "" if not text or str(value).startswith("W/") else f"{store}:{text}"


@contextlib.contextmanager
def asked(path: str) -> Iterator[None]:
    """Errors of a store's client within the block become OSErrors that name the file and hold no secret."""
    try:
        yield
    except (FileNotFoundError, FileExistsError, WinnowError):
        raise
    except OSError as error:
        number = errno.EACCES if isinstance(error, PermissionError) else error.errno or errno.EREMOTEIO
        raise OSError(number, _said(error), path) from None
    except Exception as error:
        kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
        if not any(package in _CLIENTS for package, _ in kinds):
            raise
        credentials = any("Credential" in name or "Token" in name or name == "ProfileNotFound" for _, name in kinds)
        raise OSError(errno.EACCES if credentials else errno.EREMOTEIO, _said(error), path) from None


def _said(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(without_secrets(text).split())[:300] or type(error).__name__


def is_conflict(error: OSError) -> bool:
    """A create-only write met a file of that name (HTTP 412)."""
    text = str(error).lower()
    return isinstance(error, FileExistsError) or "pre-condition" in text or "preconditionfailed" in text


def _is_busy(error: OSError) -> bool:
    """A create-only write met another one that is going on (HTTP 409)."""
    return "conditional" in str(error).lower() and "conflict" in str(error).lower()


@dataclass(frozen=True)
class Entry:
    """What a listing says of a file or folder. `path`: as the store names it, without the scheme."""

    path: str
    size: int
    is_file: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def _entry(info: Json) -> Entry:
    return Entry(str(info["name"]), int(info.get("size") or 0), info["type"] == "file")


@dataclass(frozen=True)
class Client:
    """One store. Paths are URLs. Every method raises OSError with the path, FileNotFoundError where nothing is there."""

    fs: fsspec.AbstractFileSystem
    scheme: str
    traffic: Traffic = field(default_factory=Traffic, compare=False)

    def strip(self, path: str) -> str:
        """A path as the store names it in its listings."""
        return str(self.fs._strip_protocol(path))

    def look(self, path: str) -> Entry | None:
        """What the store knows of a file or folder now; None if it is not there."""
        self.traffic.count(requests=1)
        try:
            with asked(path):
                self._forget(path)
                return _entry(self.fs.info(path))
        except FileNotFoundError:
            return None

    def isfile(self, path: str) -> bool:
        found = self.look(path)
        return found is not None and found.is_file

    def size(self, path: str) -> int:
        found = self.look(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return found.size

    def modified(self, path: str) -> datetime:
        """When the file was written, by the store's own clock."""
        self.traffic.count(requests=1)
        with asked(path):
            self._forget(path)
            found: datetime = self.fs.modified(path)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def ls(self, path: str) -> list[Entry]:
        """What lies directly in a folder; its own marker, which some tools leave, is not part of it."""
        self.traffic.count(requests=1)
        with asked(path):
            self._forget(path)
            found = [_entry(info) for info in self.fs.ls(path, detail=True)]
        own = self.strip(path).strip("/")
        return [entry for entry in found if entry.name and entry.path.strip("/") != own]

    def find(self, path: str, *, depth: int | None = None) -> list[Entry]:
        """Files below a folder, at most `depth` levels; the file itself where `path` is one."""
        self.traffic.count(requests=1)
        with asked(path):
            self._forget(path)
            found = [_entry({**info, "name": name}) for name, info in self.fs.find(path, maxdepth=depth, detail=True).items()]
        return [entry for entry in found if entry.size or not entry.path.endswith("/")]

    def get(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Bytes start:stop of a file; all without them."""
        # s3fs asks for the size first, to read a large file in parts at once, unless told not to.
        whole = {"max_concurrency": 1} if self.scheme in names_of("s3") and stop is None else {}
        with asked(path):
            data = bytes(self.fs.cat_file(path, start=start, end=stop, **whole))
        self.traffic.count(requests=1, read=len(data))
        return data

    def put(self, path: str, data: bytes, *, create: bool = False) -> None:
        """Write a whole file in one upload. `create`: FileExistsError if the name is taken, whoever else writes it now."""
        options = {"mode": "create"} if create else {}
        for left in reversed(range(_TRIES)):
            self.traffic.count(requests=1, written=len(data))
            try:
                with asked(path):
                    self._make_parents(path)
                    self.fs.pipe_file(path, data, **options)
                return
            except OSError as error:
                if create and is_conflict(error):
                    raise FileExistsError(errno.EEXIST, "there already", path) from error
                if not (create and _is_busy(error) and left):
                    raise

    def copy(self, old: str, new: str) -> None:
        """A second file of the same content, made by the store itself where it can."""
        self.traffic.count(requests=1)
        with asked(old):
            self._make_parents(new)
            self.fs.cp_file(old, new)

    def rm(self, path: str) -> None:
        """Remove a file; nothing happens where there is none."""
        self._rm(path, path)

    def rm_below(self, path: str) -> None:
        """Remove a file, or all files below a folder; nothing happens where there is none."""
        found = [entry.path for entry in self.find(path)]
        for start in range(0, len(found), DELETED_AT_ONCE):
            self._rm(found[start : start + DELETED_AT_ONCE], path)
        if self.scheme not in FLAT:
            with contextlib.suppress(FileNotFoundError), asked(path):
                self.fs.rm(path, recursive=True)

    def _rm(self, files: str | list[str], path: str) -> None:
        self.traffic.count(requests=1)
        with contextlib.suppress(FileNotFoundError), asked(path):
            self.fs.rm(files)

    def dataset(self, paths: Sequence[str]) -> Any:
        """Parquet files as one Arrow dataset, which reads the columns and row groups that are asked for."""
        import pyarrow.dataset as ds

        with asked(paths[0]):
            return ds.dataset([self.strip(path) for path in paths], filesystem=self.fs, format="parquet")

    def _forget(self, path: str) -> None:
        if self.scheme not in FLAT:
            self.fs.invalidate_cache(path)

    def _make_parents(self, path: str) -> None:
        if self.scheme not in FLAT:
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
