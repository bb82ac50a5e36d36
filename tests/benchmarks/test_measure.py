"""The memory and the processor time of a process are those of everything it started too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

from tests.benchmarks.load import kept
from tests.benchmarks.measure import children_of, family_peak, processor_s


def test_peak_memory_counts_child_processes_also_after_they_end():
    with family_peak(0.02) as held:
        before = held()
        child = "import time; kept = b'x' * 150_000_000; time.sleep(0.5)"
        subprocess.run([sys.executable, "-c", child], check=True)
    assert held() >= before + 140


def test_processor_time_counts_child_processes_that_ended():
    before = processor_s(os.getpid())
    child = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", child], check=True)
    assert processor_s(os.getpid()) >= before + 0.25


def test_children_are_found_while_threads_come_and_go():
    asked = threading.Event()

    def start_and_end_threads():
        while not asked.is_set():
            threads = [threading.Thread(target=int) for _ in range(20)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    busy = threading.Thread(target=start_and_end_threads)
    busy.start()
    try:
        assert all(child.pid in children_of(os.getpid()) for _ in range(500))
    finally:
        asked.set()
        busy.join()
        child.communicate(b"\n")
    assert children_of(child.pid) == []


def test_a_line_takes_the_place_of_the_one_of_its_name(tmp_path):
    file = tmp_path / "lines"
    file.write_text("".join(json.dumps({"name": name}) + "\n" for name in ("a", "load", "b")))
    kept(file, {"name": "load", "ours": 0})
    kept(file, {"name": "c"})
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert found == [{"name": "a"}, {"name": "load", "ours": 0}, {"name": "b"}, {"name": "c"}]
