"""`make bench`: the default plan over real text, as a user runs it, in a process of its own.

Prints MB of text per CPU-second of the whole process tree, CPU per stage, peak memory of the tree, time to the first
progress line, and the funnel. Needs WINNOW_EVAL_DATA (real text that is not part of the project).

    python -m tests.bench.throughput [--plan PRESET] [--workers N] [--prefect]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

DEFAULT_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def tree(process: psutil.Process) -> tuple[int, float]:
    """Resident bytes and CPU seconds of a process and its children."""
    rss, cpu = 0, 0.0
    for item in (process, *process.children(recursive=True)):
        try:
            times = item.cpu_times()
            rss += item.memory_info().rss
            cpu += times.user + times.system + times.children_user + times.children_system
        except psutil.Error:
            continue
    return rss, cpu


def measure(command: list[str]) -> dict[str, object]:
    """Run a command; wall seconds, CPU seconds and peak resident bytes of its tree, seconds to its first line, its stdout."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as stdout:
        running = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=os.environ | {"NO_COLOR": "1"})
        first: list[float] = []
        lines: list[str] = []

        def listen() -> None:
            for line in running.stderr or ():
                first.append(time.monotonic() - start)
                lines.append(line.decode(errors="replace"))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        process, peak = psutil.Process(running.pid), 0
        while running.poll() is None:
            peak = max(peak, tree(process)[0])
            time.sleep(0.1)
        used = os.times()
        listener.join(5)
        stdout.seek(0)
        printed = stdout.read().decode()
    if running.returncode:
        raise SystemExit("".join(lines) + f"exit {running.returncode}")
    cpu = used.children_user + used.children_system
    return {"wall": time.monotonic() - start, "cpu": cpu, "peak": peak, "first": first[0] if first else None, "out": printed}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--plan", default="default")
    options.add_argument("--workers", default="2")
    options.add_argument("--prefect", action="store_true", help="with Prefect's temporary server instead of --inline")
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    inputs = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not inputs:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA to a folder with throughput/*.jsonl.gz")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "flows.curate", chosen.plan, "--input", *map(str, inputs), "--output", f"{folder}/out"]
        command += ["--workers", chosen.workers, "--json", *([] if chosen.prefect else ["--inline"])]
        ran = measure(command)
        metrics = json.loads(str(ran["out"]))["metrics"]
    show(chosen, metrics, ran)


def show(chosen: argparse.Namespace, metrics: dict, ran: dict) -> None:
    """Print the figures."""
    total, text = metrics["totals"], metrics["totals"]["bytes_read"] / 1e6
    print(f"plan {chosen.plan}, {chosen.workers} workers, {'Prefect' if chosen.prefect else 'inline'}")
    print(f"text read            {text:10.1f} MB in {total['read']:,} documents")
    print(f"wall                 {ran['wall']:10.1f} s   first line after {ran['first']:.1f} s")
    print(f"CPU, process tree    {ran['cpu']:10.1f} s   {text / ran['cpu']:.2f} MB of text per CPU-second")
    print(f"peak, process tree   {ran['peak'] / 1e6:10.0f} MB")
    print("CPU per stage (estimated with several workers)")
    for line in metrics["cost"]["stages"]:
        print(f"  {line['stage']:<28} {line['cpu_s']:8.2f} s")
    print("funnel")
    for line in metrics["funnel"]:
        print(f"  {line['label']:<48} {line['documents']:>10,} {line['bytes'] / 1e6:>10.1f} MB")
    kept = total["kept"] + total["dropped"] + total["quarantined"]
    size = total["bytes_kept"] + total["bytes_dropped"] + total["bytes_quarantined"]
    print(f"conserved: {total['read'] == kept and total['bytes_read'] == size}")


if __name__ == "__main__":
    main()
