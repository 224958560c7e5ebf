"""The sums that a run must come to, or reports: bad rows within their budgets, conservation, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from pipeline.errors import BadRows, BrokenContract
from pipeline.machine import resources
from pipeline.machine.meter import Phases
from pipeline.read.files import InputFile
from pipeline.records.metrics_json import Cost, StageCost
from pipeline.report.metrics.tally import Tally, totals
from pipeline.run import attempts, damage, remedies
from pipeline.run.damage import Loss
from pipeline.run.options import RunOptions
from pipeline.run.state import Compiled, Run
from pipeline.stages.unit.annotate import Annotated
from pipeline.text import numbers

MOST_LINES = 20
"""Files and sources that a refusal names."""
SMALL_FILE = 1_000
"""A file of fewer rows has no budget of its own but its source's: chosen because one page that is no text, or some lines of junk
beside a good corpus, are no reason to publish nothing."""


def check_bad_rows(run: Run, units: Sequence[Annotated]) -> None:
    """Raise BadRows where more of a source, or of a file that is not small, could not be read than its budget allows, or a file
    ends early."""
    files = {item.file.path: item.file for item in run.inputs}
    found: dict[tuple[str, str], Loss] = {}
    for path, loss in damage.by_file(run, units).items():
        for group in (("file", path), ("source", files[path].source)):
            found[group] = found.get(group, Loss()) + loss
    limits = {group: file for file in files.values() for group in (("file", file.path), ("source", file.source))}
    spent = {group for group, loss in found.items() if _is_over(group, loss, limits[group])}
    over = [
        (group, loss)
        for group, loss in sorted(found.items())
        if group in spent and (not _is_small(group, loss, limits[group]) or ("source", limits[group].source) in spent)
    ]
    if not over:
        return
    lines = [_too_much(group, loss, limits[group].max_bad_fraction) for group, loss in over[:MOST_LINES]]
    lines += [f"and {len(over) - MOST_LINES:,} more"] if len(over) > MOST_LINES else []
    worst = {path for path, file in files.items() if over[0][0][1] in (path, file.source)}
    found_in = (u for u in units if any(part.bad_rows and path in worst for path, part in u.by_file()))
    for unit in islice(found_in, 1):
        table = damage.bad_rows(run.work, unit, worst, columns=["cause", "detail"]).slice(0, 3).to_pylist()
        lines += [f"  {row['path']}#{row['row']}: {row['cause']}: {row['detail']}" for row in table]
    raise BadRows("\n".join([*lines, *_advice(run, units, over)]))


def _is_over(group: tuple[str, str], loss: Loss, file: InputFile) -> bool:
    accepts = file.on_truncated == "accept"
    return (group[0] == "file" and loss.cut and not accepts) or loss.fraction(accepts_cut=accepts) > file.max_bad_fraction


def _is_small(group: tuple[str, str], loss: Loss, file: InputFile) -> bool:
    """Whether it is a file that its source's budget is enough for. Of one that ends before it should nobody knows how many rows
    are missing, unless it is one row."""
    unknown = loss.cut and file.on_truncated != "accept" and file.format not in ("text", "html")
    return group[0] == "file" and not unknown and loss.read + loss.lost < SMALL_FILE


def _too_much(group: tuple[str, str], loss: Loss, limit: float) -> str:
    kind, name = group
    share = loss.fraction(accepts_cut=False)
    rows = f"{round(loss.lost):,} of {round(loss.read + loss.lost):,} rows"
    told = f"({numbers.beside(share, limit)}, budget {numbers.percent(limit)})"
    if kind == "file" and loss.cut:
        if loss.lost > 1:
            return f"file {name}: ends before it should: at least {rows} are missing or unreadable {told}"
        if not loss.read:
            return f"file {name}: ends before it should, or is something else: nothing tells how many rows are missing"
        return f"file {name}: ends before it should: {loss.read:,} rows were read, and nothing tells how many are missing"
    return f"{kind} {name}: {'some ' if loss.missing else ''}{rows} are unreadable {told}"


def _advice(run: Run, units: Sequence[Annotated], over: Sequence[tuple[tuple[str, str], Loss]]) -> list[str]:
    said = []
    if any(loss.cut for _, loss in over):
        said.append(
            "a download that stopped early looks like this: fetch the file again; or set source.on_truncated: accept, "
            "to curate what there is of it"
        )
    whole = [(group, loss) for group, loss in over if not loss.cut]
    if whole:
        (kind, name), loss = next((one for one in whole if not one[1].read), whole[0])
        paths = {item.file.path for item in run.inputs if name == (item.file.path if kind == "file" else item.file.source)}
        own = [unit for unit in units if not paths.isdisjoint(unit.names.paths)]
        causes = [c for u in own for c in damage.bad_rows(run.work, u, paths, columns=["cause"])["cause"].to_pylist()]
        sources = {item.file.source for item in run.inputs if item.file.path in paths}
        beside = {item.file.path for item in run.inputs if item.file.source in sources} - paths
        others = any(part.rows for unit in units for path, part in unit.by_file() if path in beside)
        said.append(remedies.remedy(causes, rows=round(loss.read + loss.lost), others=others))
    return [*said[:-1], f"{said[-1]}; nothing was published"]


def check_conserved(summed: Tally, units: Sequence[Annotated]) -> None:
    """Law 1 in every run, resumed ones included."""
    total = totals(summed)
    rows = sum(unit.rows + unit.bad_rows for unit in units)
    size = sum(unit.n_bytes for unit in units)
    if (total.read, total.bytes_read) != (rows, size):
        raise BrokenContract(
            f"conservation: {rows:,} rows and {size:,} bytes were read, but fates sum to {total.read:,} and {total.bytes_read:,}"
        )


@dataclass(frozen=True)
class Started:
    """A run's beginning: its clock; CPU seconds by phase since; its name among the attempts, and the memory that is watched."""

    clock: float
    phases: Phases
    attempt: str
    memory: resources.PeakMemory


END_CPU_S = 0.08
"""CPU seconds from the last count, which the commit holds, to the end of the process: the page is filled, files are put in place,
the summary is printed, the interpreter ends. Measured over one document and over 80 MB: 0.07 to 0.08; `tests/run/test_cpu.py`
holds the whole."""


def cost(
    run: Run, options: RunOptions, started: Started, *, units: Sequence[Annotated], compiled: Compiled, output_bytes: int
) -> Cost:
    """What the run costs: all that was used so far and, where the process ends with it, what that will take. `compiled`: what
    compiling kernels or loading them took."""
    end = END_CPU_S if options.own_process else 0.0
    cpu_s = started.phases.total + end
    seconds = _by_name(started.phases, units, compile_s=compiled.cpu_s, here=options.runner == "local")
    seconds |= {"end": end} if end else {}
    kernels = compiled.cpu_s + (compiled.helper_cpu_s if options.runner == "local" else 0.0)
    size = sum(unit.n_bytes for unit in units)
    return Cost(
        wall_s=time.monotonic() - started.clock,
        compile_wall_s=compiled.waited_s,
        cpu_s=cpu_s,
        lost_cpu_s=attempts.lost_cpu_s(run.work, started.attempt),
        exact=options.workers == 1 and options.runner == "local",
        workers=options.workers,
        peak_memory_bytes=started.memory.peak or resources.tree_rss(),
        work_bytes=run.work.bytes_below(),
        stores=run.traffic(),
        stages=tuple(StageCost(stage=name, cpu_s=used) for name, used in sorted(seconds.items(), key=lambda item: -item[1])),
        mb_per_cpu_s=size / 1e6 / (cpu_s - kernels) if cpu_s > kernels else 0.0,
        output_bytes=output_bytes,
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
    )


CHILDREN = "child processes"


def _by_name(phases: Phases, units: Sequence[Annotated], *, compile_s: float, here: bool) -> dict[str, float]:
    """CPU seconds by stage: parts of phases under their own names, the rest of each under the phase's. `here`: units are worked
    on in this process, so that its children are decoders and a server of Prefect's."""
    worked: dict[str, float] = {}
    for unit in units:
        for stage, used in unit.costs:
            worked[stage] = worked.get(stage, 0.0) + used
    parts = {"scan": {"compile": compile_s}, "annotate": worked}
    seconds: dict[str, float] = {}
    for phase, own in phases.own.items():
        spent = own + (0.0 if here else phases.children[phase]) + phases.elsewhere.get(phase, 0.0)
        known = parts.get(phase, {})
        told = sum(known.values())
        shrunk = min(1.0, spent / told) if told else 1.0  # clocks of threads and of processes tick apart
        seconds |= {name: used * shrunk for name, used in known.items()}
        seconds[phase] = seconds.get(phase, 0.0) + max(0.0, spent - told)
    if here and any(phases.children.values()):
        seconds[CHILDREN] = sum(phases.children.values())
    return seconds
