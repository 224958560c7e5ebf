"""Where a model's file is: a path, a file of a repository on the Hugging Face Hub, or one in the user's cache.

Invariant: a name that is not `hf://` is a path, and nothing is fetched for it. A file from the Hub comes through huggingface_hub:
its cache, its credentials, HF_ENDPOINT and HF_HUB_OFFLINE count; what a plan's models contain is in the recipe by their sha256.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path, PurePosixPath

from filters.models.reader import ModelError

SCHEME = "hf://"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ON_THE_HUB = re.compile(rf"hf://({_NAME}/{_NAME})(?:@({_NAME}))?/((?:[^/]+/)*[^/]+)")
_OTHER_KINDS = ("datasets", "spaces", "models")
_FORM = "hf://ORG/NAME/FILE, or hf://ORG/NAME@REVISION/FILE"


def cache() -> Path:
    """Winnow's folder in the user's cache, as the XDG specification names it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "winnow"


def put(data: bytes, dest: Path) -> None:
    """Write beside `dest`, then rename: whoever reads `dest` meanwhile has all of the old file or all of the new one."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=dest.parent, prefix=f".{dest.name}-", delete=False) as file:
        try:
            file.write(data)
            file.close()
            os.chmod(file.name, 0o644)  # mkstemp's 0600 would hide a shared model from other users
            os.replace(file.name, dest)
        except BaseException:
            os.unlink(file.name)
            raise


def find_model_file(name: str) -> Path:
    """The file that `name` means, fetched if it is on the Hub and not in the cache.

    `hf://ORG/NAME[@REVISION]/FILE`: REVISION is a commit, a tag, or a branch without `/`. Raises ModelError: no such form, not
    there, no access, or no network and no copy in the cache. A path is not looked at.
    """
    if not name.startswith(SCHEME):
        return Path(os.path.expanduser(name))
    found = _ON_THE_HUB.fullmatch(name)
    if found is None or found[1].split("/")[0] in _OTHER_KINDS or ".." in name.split("/"):
        raise ModelError(f"{name}: expected a file of a model repository, {_FORM}")
    return _fetch(name, repository=found[1], revision=found[2], file=found[3])


def fetch_beside(name: str, suffix: str) -> None:
    """Fetch the file of the same name with another suffix, if `name` is on the Hub and the repository has it.

    It then lies beside what `find_model_file` gives. What cannot be fetched is not there: a model needs no such file.
    """
    if name.startswith(SCHEME):
        with contextlib.suppress(ModelError):
            find_model_file(f"{SCHEME}{PurePosixPath(name.removeprefix(SCHEME)).with_suffix(suffix)}")


def _fetch(name: str, *, repository: str, revision: str | None, file: str) -> Path:
    # Heavy, and few plans need it.
    import huggingface_hub
    from huggingface_hub import errors

    advice = (
        f"download it by hand and name its path, or fetch it once where there is a network: `hf download {repository} {file}`"
    )
    try:
        return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision))
    except (errors.GatedRepoError, errors.RepositoryNotFoundError) as error:
        raise ModelError(
            f"{name}: there is no such repository, or it asks for access: accept its terms on the Hub and set HF_TOKEN"
            f" ({_line(error)})"
        ) from error
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise ModelError(f"{name}: the repository has no such file or revision; expected {_FORM} ({_line(error)})") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ModelError(f"{name}: the Hub cannot be reached, and the file is not in the cache; {advice}") from error
    except Exception as error:
        # Besides its own errors, those of the HTTP library below it, such as for a connection that is cut.
        raise ModelError(f"{name}: not fetched ({type(error).__name__}: {_line(error)}); {advice}") from error


def _line(error: Exception) -> str:
    """The first line of an error's message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
