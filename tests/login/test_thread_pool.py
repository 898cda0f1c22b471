"""Jobs run in a few threads of a process, and are done before it ends."""

import signal
import subprocess
import sys
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from django_piggy_verify.login import thread_pool
from django_piggy_verify.login.thread_pool import THREADS, WAITING
from tests.waiting import wait_until

ROOM = THREADS + WAITING
PATIENCE = 5


@pytest.fixture
def pool(monkeypatch):
    """The pool of a new process."""
    pool = thread_pool._Pool()
    monkeypatch.setattr(thread_pool, "_pool", pool)
    yield pool
    pool.finish()


def do_nothing():
    pass


def fail():
    raise RuntimeError("of a test")


def exit_thread():
    raise SystemExit


def test_a_job_without_room_is_refused(pool):
    gate, runs = Event(), []

    def job():
        gate.wait(PATIENCE)
        runs.append("job")

    accepted = [thread_pool.put(job) for _ in range(ROOM + 1)]
    gate.set()

    pool.finish()
    assert accepted == ROOM * [True] + [False]
    assert len(runs) == ROOM


@pytest.mark.parametrize("job", [do_nothing, fail, exit_thread])
def test_there_is_room_again_after_a_job(pool, job):
    for _ in range(2 * ROOM):
        is_done = Event()
        assert thread_pool.put(job)
        assert thread_pool.put(is_done.set)
        assert is_done.wait(PATIENCE)


def test_one_thread_runs_the_jobs_that_come_one_after_the_other(pool):
    for _ in range(THREADS):
        thread_pool.put(do_nothing)
        wait_until(lambda: pool._unfinished == 0)

    assert len(pool._threads) == 1


def test_a_job_that_tries_to_end_its_thread_is_logged(pool, caplog):
    thread_pool.put(exit_thread)

    pool.finish()
    assert [each.event_name for each in caplog.records] == ["job_failed"]


def test_a_process_that_cannot_start_a_thread_refuses_the_job(pool, caplog):
    def refuse(_thread):
        raise RuntimeError("no thread")

    runs: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Thread, "start", refuse)
        is_accepted = thread_pool.put(lambda: runs.append("refused"))
    thread_pool.put(lambda: runs.append("later"))

    pool.finish()
    assert not is_accepted
    assert runs == ["later"]
    assert "no thread" in caplog.text


def test_when_the_process_ends_no_more_jobs_are_accepted(pool):
    thread_pool.put(do_nothing)
    pool.finish()

    assert not thread_pool.put(do_nothing)


@pytest.fixture
def uvicorn():
    """The part of uvicorn that handles SIGTERM."""
    server = Uvicorn()
    usual = signal.signal(signal.SIGTERM, server.handle_exit)
    yield server
    signal.signal(signal.SIGTERM, usual)


class Uvicorn:
    def __init__(self):
        self.server_state = SimpleNamespace(tasks=set())

    def handle_exit(self, number, frame):
        """Wait for the tasks, and let the signal kill the process."""


def test_uvicorn_waits_for_all_jobs(pool, uvicorn):
    gate = Event()
    for job in (gate.wait, do_nothing):
        thread_pool.put(job)
    wait_until(lambda: pool._unfinished == 1)

    [task] = uvicorn.server_state.tasks
    task.cancel(msg="of a test")
    gate.set()

    pool.finish()
    assert not uvicorn.server_state.tasks


PROCESS = """
import os, time
from django_piggy_verify.login import thread_pool

def job():
    time.sleep(0.05)
    os.write(1, f"{os.getpid()} ".encode())

def put(number):
    assert all(thread_pool.put(job) for _ in range(number))
"""


def jobs_done(code):
    """Run Python code in a process of its own. Return the process of each job."""
    command = [sys.executable, "-c", PROCESS + code]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return ran.stdout.split()


def test_all_jobs_are_done_when_the_process_ends():
    done = jobs_done(f"put({ROOM})")

    assert len(done) == ROOM


def test_a_child_process_has_threads_of_its_own():
    done = jobs_done(f"""
put({THREADS})
child = os.fork()
put(2)
if child:
    os.waitpid(child, 0)
""")

    assert sorted(done.count(each) for each in set(done)) == [2, THREADS + 2]
