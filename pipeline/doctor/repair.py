"""What can be made again of an output that is not whole, from what is there: manifests of which a copy is left, what a killed
take-down has to do, files that are made from manifests.

Invariant: nothing is removed but quotes that cannot be read and, where no live file is missing, what that take-down replaced. A
manifest is put back only where one of its number is missing, and the files that it names are there in their length; what stands
in its place is set aside, since it may be the only copy of something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, filterfalse

from pipeline.doctor.examination import examine
from pipeline.errors import WinnowError
from pipeline.output import inventory, manifest, numbering
from pipeline.output.faults import damaged
from pipeline.output.manifest import Manifest
from pipeline.report import publish
from pipeline.store.store import Store
from pipeline.takedown import complete


def repair(out: Store, work: Store) -> Iterator[str]:
    """Make again what is made from the manifests; says what was done. The output must be held. Raises Damaged where manifests or
    what was taken down is missing."""
    read = manifest.read_all(out)
    listed = inventory.take(out, read.found)
    if faults := [*read.faults, *listed.faults(replacing=True)]:
        raise damaged(out, faults)
    manifests = list(read.found)
    if not manifests:
        return
    mendable = {finding.path for finding in examine(out, work).findings if finding.kind == "mendable"}
    for path in sorted(mendable):
        if path.startswith(f"{manifest.SAMPLES}/"):
            out.remove(path)
            yield f"{path} could not be read and was removed: the page quotes nothing of it"
    if next(listed.of_files(), None) is None:  # else what a take-down replaced may be all that is left of a shard
        complete.complete(out, manifests)
    if mendable:
        publish.write(out, publish.rendered(out, manifests))
        yield "what is made from the manifests was made again"


def put_back(out: Store) -> Iterator[str]:
    """Put back manifests of which `manifest.json`, or a file beside them under another name or number, is a copy; says which. The
    output must be held."""
    read = manifest.read_all(out)
    wrong = {fault.path for fault in read.faults}
    beside = (f"{numbering.MANIFESTS}/{file}" for file in read.strays)
    copies = {path: _manifest(out, path) for path in (numbering.COPY, *beside, *sorted(filter(out.has, wrong)))}
    there = {path: (numbering.name(copy.generation), out.read_bytes(path)) for path, copy in copies.items() if copy is not None}
    for path, (name, data) in there.items():
        if name in wrong and name != path:
            set_aside(out, name)
            out.create(name, data)
            wrong.remove(name)
            yield f"{name} was put back: {path} is a copy of it"
    for path in sorted(wrong & set(there)):
        name, data = there[path]
        if out.has(name) and out.read_bytes(name) == data:
            yield f"{set_aside(out, path)} was {path}, a second copy of {name}: remove it, or move it elsewhere"


def set_aside(out: Store, path: str) -> str:
    """Give what stands in the place of a manifest a name that no manifest has: that name, or none where nothing is there."""
    if not out.has(path):
        return ""
    name = next(filterfalse(out.has, (f"{path}.aside-{number}" for number in count(1))))
    out.create(name, out.read_bytes(path))
    out.remove(path)
    return name


def _manifest(out: Store, path: str) -> Manifest | None:
    """The manifest in a file whose live files are there in their length; else None."""
    try:
        copy = manifest.parsed(out.read_json(path), out.path(path))
    except (FileNotFoundError, WinnowError):
        return None
    listed = inventory.take(out, [copy])
    fits = all(next(listed.of_record(record, ""), None) is None for record in (*copy.files, *copy.index))
    return copy if fits else None
