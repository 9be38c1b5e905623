"""What a fit takes is counted whoever ends meanwhile."""

import signal
import subprocess
import sys
import time

import psutil

from spark_jobs.fitting.measuring import measured

BUSY = "import time\nwhile time.process_time() < 1: pass\nprint('done', flush=True)\ntime.sleep(60)"
PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"


def test_seconds_do_not_fall_when_a_worker_ends_after_its_parent() -> None:
    started = subprocess.Popen([sys.executable, "-c", PARENT, BUSY], stdout=subprocess.PIPE, text=True)
    assert started.stdout
    assert started.stdout.readline() == "done\n"  # a second that is none of what is measured
    (worker,) = psutil.Process(started.pid).children()
    with measured() as taken:
        started.send_signal(signal.SIGKILL)
        started.wait()
        worker.kill()
        until = time.process_time() + 0.5
        while time.process_time() < until:
            pass
    assert 0.45 < taken.processor_seconds < 1
    assert taken.seconds > 0.45
