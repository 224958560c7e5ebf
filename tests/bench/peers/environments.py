"""The peers, each in an environment of its own under ~/.cache/winnow/bench-PEER, made when first asked for (minutes)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL_SECONDS = 1200


@dataclass(frozen=True)
class Peer:
    name: str
    requirements: tuple[str, ...]
    script: str
    environment: str = ""  # of another peer, to share; default: one of its own
    options: tuple[str, ...] = ()  # of the script
    with_uv: bool = False  # pip's resolver takes hours

    @property
    def folder(self) -> Path:
        return Path.home() / ".cache" / "winnow" / f"bench-{self.environment or self.name}"

    def command(self, *arguments: object) -> list[str]:
        """That runs the peer's script."""
        return [str(self.folder / "bin" / "python"), str(HERE / self.script), *self.options, *map(str, arguments)]


RENSA = Peer("rensa", ("rensa==0.5.0", "orjson", "zstandard"), "with_rensa.py")
RENSA_RHO = Peer("rensa-rho", RENSA.requirements, "with_rensa_rho.py", environment="rensa")
RENSA_BLANKS = Peer("rensa-rho-blanks", RENSA.requirements, "with_rensa_rho.py", environment="rensa", options=("--blanks",))
GAOYA = Peer("gaoya", ("gaoya==0.2.2", "orjson", "zstandard"), "with_gaoya.py")
DAFT = Peer("daft", ("daft==0.7.26", "pyarrow", "orjson", "zstandard"), "with_daft.py")
DATASKETCH = Peer("datasketch", ("datasketch==2.0.0", "orjson", "zstandard"), "with_datasketch.py")
TEXT_DEDUP = Peer("text-dedup", ("text-dedup==0.4.0",), "with_text_dedup.py")
# Its MinHash imports spaCy, which none of its extras but [multilingual] brings.
DATATROVE = Peer("datatrove", ("datatrove[io,processing]==0.10.1", "spacy", "orjson", "zstandard"), "with_datatrove.py")
DATATROVE_RULES = Peer("datatrove-rules", DATATROVE.requirements, "with_datatrove_rules.py", environment="datatrove")
DOLMA = Peer("dolma", ("dolma==1.2.1",), "with_dolma.py", with_uv=True)
# pip's resolver fails over an extra of lxml's that is asked for twice.
TRAFILATURA = Peer("trafilatura", ("trafilatura==2.3.1",), "with_extractor.py", with_uv=True)
MAGIC_HTML = Peer("magic-html", ("magic-html==0.1.8",), "with_extractor.py", with_uv=True)
PEERS = (RENSA, DATASKETCH, TEXT_DEDUP, DATATROVE)


def installed(peer: Peer) -> bool:
    """Make the peer's environment if it is not there; say why where that fails."""
    ready, wanted = peer.folder / "ready.txt", "\n".join(peer.requirements)
    if ready.exists() and ready.read_text() == wanted:
        return True
    print(f"installing {peer.name} into {peer.folder} …", flush=True)
    pip = [str(peer.folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *peer.requirements]
    commands = [[sys.executable, "-m", "venv", str(peer.folder)], pip]
    if peer.with_uv:
        python = str(peer.folder / "bin" / "python")
        commands[1] = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv"]
        commands.append([str(peer.folder / "bin" / "uv"), "pip", "install", "-q", "--python", python, *peer.requirements])
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        print(f"{peer.name} left out: it could not be installed ({said[-1] if said else error})", flush=True)
        return False
    ready.write_text(wanted)
    return True
