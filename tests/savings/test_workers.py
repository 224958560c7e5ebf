"""Workers of the neural tier end with the block and the process that they work for. Needs no torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from pipeline.savings.tiers.neural import workers
from tests.support import ROOT


def gone(pids: list[int], *, within_s: float) -> bool:
    give_up = time.monotonic() + within_s
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def test_results_come_back_and_no_worker_is_left():
    with workers.pool(2) as pool:
        pids = [future.result() for future in [pool.submit(os.getpid) for _ in range(2)]]
        assert pool.submit(abs, -3).result() == 3
    assert gone(pids, within_s=5)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_within_the_block_ends_work_that_would_take_minutes(error):
    began = time.monotonic()
    with pytest.raises(error), workers.pool(1) as pool:
        pid = pool.submit(os.getpid).result()
        pool.submit(time.sleep, 300)
        pool.submit(time.sleep, 300)
        time.sleep(0.1)
        raise error
    assert gone([pid], within_s=5)
    assert time.monotonic() - began < 60


def test_a_worker_s_own_error_is_raised_and_ends_the_others():
    with pytest.raises(ValueError, match="invalid literal"), workers.pool(2) as pool:
        pool.submit(time.sleep, 300)
        pool.submit(int, "x").result()


def test_workers_end_when_their_parent_is_killed():
    script = (
        "import os, time\nfrom pipeline.savings.tiers.neural import workers\n"
        "if __name__ == '__main__':\n"
        "    with workers.pool(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        pool.submit(time.sleep, 300).result()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert gone([worker], within_s=10)
    process.stdout.close()
