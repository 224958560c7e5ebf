"""What can be made again of an output that is not whole, from what is there: manifests of which a copy is left, what a killed
take-down has to do, files that are made from manifests.

Invariant: nothing is removed but what that take-down replaced, and quotes that cannot be read, and nothing of an output whose
manifests are not all there; a manifest is put back only where the files that it names are there in their length.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from pipeline.doctor.examination import Examination
from pipeline.errors import Damaged
from pipeline.output import inventory, manifest, numbering
from pipeline.output.faults import damaged
from pipeline.output.manifest import Manifest
from pipeline.report import publish
from pipeline.store.store import Store
from pipeline.takedown import complete


def repair(out: Store, found: Examination) -> list[str]:
    """What was done, in words. The output must be held; `found`: what is wrong with it."""
    done = list(_restored(out))
    read = manifest.read_all(out)
    faults = [*read.faults, *inventory.take(out, read.found).faults(replacing=True)]
    if faults:
        if done:
            return done
        raise damaged(out, faults)
    manifests = list(read.found)
    if not manifests:
        return done
    mendable = {finding.path for finding in found.findings if finding.kind == "mendable"}
    for path in sorted(mendable):
        if path.startswith(f"{manifest.SAMPLES}/"):
            out.remove(path)
            done.append(f"{path} could not be read and was removed: the page quotes nothing of it")
    complete.complete(out, manifests)
    if mendable:
        publish.write(out, publish.rendered(out, manifests))
        done.append("what is made from the manifests was made again")
    return done


def _restored(out: Store) -> Iterator[str]:
    """Put back manifests of which `manifest.json`, or a file beside them under another name, is a copy."""
    read = manifest.read_all(out)
    have = {made.generation for made in read.found}
    for path in (numbering.COPY, *(f"{numbering.MANIFESTS}/{file}" for file in read.strays)):
        copy = _manifest(out, path)
        if copy is None or copy.generation in have or not _fits(out, copy):
            continue
        name = numbering.name(copy.generation)
        if out.has(name):  # what is there is no manifest, or another one
            out.write_bytes(name, out.read_bytes(path), durable=True)
        else:
            out.create(name, out.read_bytes(path))
        have.add(copy.generation)
        yield f"{name} was put back: {path} is a copy of it"


def _manifest(out: Store, path: str) -> Manifest | None:
    try:
        return Manifest.model_validate(out.read_json(path))
    except (FileNotFoundError, Damaged, ValidationError):
        return None


def _fits(out: Store, copy: Manifest) -> bool:
    listed = inventory.take(out, [copy])
    return not any(True for record in (*copy.files, *copy.index) for _ in listed.of_record(record, ""))
