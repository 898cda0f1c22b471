"""Work runs once, after the response, in a thread or in ``request.close``."""

import logging
import signal
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished
from django.db import connection
from django.http import HttpResponse
from django.urls import path
from django.utils import translation

from django_piggy_verify.login import after_response
from django_piggy_verify.login.after_response import THREADS, WAITING

POOLED = after_response.__name__
HERE = threading.main_thread().name


def raising(error):
    """Return a method that raises `error`."""

    def method(_self):
        raise error

    return method


class Job:
    """Records the thread and the language of each run, and may fail or wait."""

    def __init__(self, error=None, gate=None):
        self.runs = []
        self.is_done = threading.Event()
        self._error, self._gate = error, gate

    def __call__(self):
        self.runs.append((threading.current_thread().name, translation.get_language()))
        if self._gate:
            self._gate.wait(5)
        self.is_done.set()
        if self._error:
            raise self._error


@pytest.fixture
def pool(monkeypatch, django_db_setup):
    """The threads of a new process, with a database that threads can share."""
    pool = after_response._Pool()
    monkeypatch.setattr(after_response, "_pool", pool)
    yield pool
    pool.finish()


@pytest.fixture
def request_(rf):
    """A request as a server makes it. The test clients make another kind."""
    return rf.get("/")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(after_response, "PATIENCE", 0.05)


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(after_response, "PATIENCE", 60)


def test_a_job_runs_in_a_thread_once_the_response_is_closed(pool, patient, request_):
    job = Job()

    assert after_response.run(request_, job)

    assert not job.is_done.wait(0.1)
    request_.close()
    assert job.is_done.wait(5)
    assert [thread for thread, _ in job.runs] == [POOLED]


def test_a_request_that_is_never_closed_has_its_job_run(pool, impatient, request_):
    job = Job()

    after_response.run(request_, job)

    assert job.is_done.wait(5)


@pytest.mark.parametrize("background", [True, False])
def test_a_request_that_is_closed_twice_has_its_job_run_once(
    pool, request_, settings, background
):
    settings.PIGGY_VERIFY_BACKGROUND = background
    job = Job()
    after_response.run(request_, job)

    request_.close()
    request_.close()

    pool.finish()
    assert len(job.runs) == 1


def test_several_jobs_of_a_request_run(pool, request_):
    jobs = [Job(), Job()]
    for each in jobs:
        after_response.run(request_, each)

    request_.close()

    assert all(each.is_done.wait(5) for each in jobs)


def test_the_files_of_the_request_are_closed_as_well(pool, request_):
    file = BytesIO()
    request_._files = SimpleNamespace(lists=lambda: [("name", [file])])

    after_response.run(request_, Job())
    request_.close()

    assert file.closed


@pytest.mark.parametrize("background", [True, False])
def test_a_job_runs_in_the_language_of_its_request(
    pool, request_, settings, background
):
    settings.PIGGY_VERIFY_BACKGROUND = background
    job = Job()
    with translation.override("nl"):
        after_response.run(request_, job)

    request_.close()

    assert job.is_done.wait(5)
    assert [language for _, language in job.runs] == ["nl"]


@pytest.mark.parametrize("background", [True, False])
def test_a_job_has_the_context_variables_of_its_request(
    pool, request_, settings, background
):
    settings.PIGGY_VERIFY_BACKGROUND = background
    variable: ContextVar[str] = ContextVar("variable")
    found = []
    token = variable.set("of the request")
    after_response.run(request_, lambda: found.append(variable.get()))
    variable.reset(token)

    request_.close()

    pool.finish()
    assert found == ["of the request"]


@pytest.mark.parametrize("background", [True, False])
def test_the_error_of_a_job_is_logged(pool, request_, settings, caplog, background):
    settings.PIGGY_VERIFY_BACKGROUND = background
    after_response.run(request_, Job(RuntimeError("of a test")))

    request_.close()

    pool.finish()
    [record] = caplog.records
    assert (record.event_name, record.levelno) == ("job_failed", logging.ERROR)
    assert str(record.exc_info[1]) == "of a test"


@pytest.mark.parametrize("error", [RuntimeError(), SystemExit()], ids=repr)
def test_a_thread_survives_the_error_of_a_job(pool, rf, error):
    jobs = [Job(error) for _ in range(2 * THREADS)]

    for each in jobs:
        after_response.run(request := rf.get("/"), each)
        request.close()

    assert all(each.is_done.wait(5) for each in jobs)


@pytest.mark.parametrize("background", [True, False])
def test_a_job_runs_although_the_request_cannot_be_closed(
    pool, patient, request_, settings, background
):
    settings.PIGGY_VERIFY_BACKGROUND = background
    request_._files = None
    job = Job()
    after_response.run(request_, job)

    with pytest.raises(AttributeError):
        request_.close()

    assert job.is_done.wait(5)


def test_a_process_that_cannot_start_a_thread_refuses_the_job(pool, request_, caplog):
    refused = Job()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", raising(RuntimeError("no thread")))
        is_accepted = after_response.run(request_, refused)
    later = Job()
    after_response.run(request_, later)

    request_.close()

    assert later.is_done.wait(5)
    assert not is_accepted
    assert refused.runs == []
    assert "no thread" in caplog.text


def test_a_job_without_room_is_refused(pool, impatient, rf, caplog):
    gate = threading.Event()
    full = [
        after_response.run(rf.get("/"), Job(gate=gate))
        for _ in range(THREADS + WAITING)
    ]

    refused, request = Job(), rf.get("/")
    full.append(after_response.run(request, refused))

    request.close()
    gate.set()
    pool.finish()
    assert full == (THREADS + WAITING) * [True] + [False]
    assert refused.runs == []
    assert [each.event_name for each in caplog.records] == ["backlog_full"]


def test_there_is_room_again_after_a_job(pool, rf):
    for _ in range(2 * (THREADS + WAITING)):
        job, request = Job(), rf.get("/")

        assert after_response.run(request, job)

        request.close()
        assert job.is_done.wait(5)


def test_when_the_process_ends_no_more_jobs_are_accepted(pool, request_):
    after_response.run(request_, Job())
    pool.finish()

    assert not after_response.run(request_, Job())


@pytest.mark.django_db
@pytest.mark.parametrize("background", [True, False])
def test_the_job_of_a_visitor_who_has_disconnected_runs(
    pool, patient, async_rf, settings, background
):
    settings.PIGGY_VERIFY_BACKGROUND = background
    job = Job()
    after_response.run(async_rf.get("/"), job)

    # All that Django does under ASGI.
    request_finished.send(sender=ASGIHandler)
    request_finished.send(sender=ASGIHandler)

    pool.finish()
    assert len(job.runs) == 1


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


def test_uvicorn_waits_for_all_jobs(pool, rf, uvicorn):
    gate = threading.Event()
    for each in (None, None, gate):
        after_response.run(request := rf.get("/"), Job(gate=each))
        request.close()

    [task] = uvicorn.server_state.tasks
    task.cancel(msg="of a test")
    gate.set()

    pool.finish()
    assert not uvicorn.server_state.tasks


@pytest.mark.django_db(transaction=True)
def test_a_job_closes_old_connections_as_a_request_does(pool, impatient, request_):
    used = []

    def query():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        used.append(connection.connection)

    after_response.run(request_, query)

    pool.finish()
    [raw] = used
    with pytest.raises(Exception, match=r"(?i)closed|gone away|2006"):
        raw.cursor().execute("SELECT 1")


def runs_here(request):
    job = Job()
    after_response.run(request, job)
    assert job.runs == []
    request.close()
    return [thread for thread, _ in job.runs] == [HERE]


def test_without_background_a_job_runs_in_the_thread_of_the_request(
    pool, request_, settings
):
    settings.PIGGY_VERIFY_BACKGROUND = False

    assert runs_here(request_)


@pytest.mark.django_db
def test_with_a_database_in_memory_a_job_runs_in_the_thread_of_the_request(
    pool, request_, monkeypatch
):
    monkeypatch.setattr(connection, "is_in_memory_db", lambda: True, raising=False)

    assert runs_here(request_)


@pytest.fixture
def uwsgi(monkeypatch):
    """Return a function that starts uWSGI with these options."""

    def start(**options):
        server = SimpleNamespace(opt=options)
        monkeypatch.setitem(sys.modules, "uwsgi", server)
        after_response._server_has_threads.cache_clear()

    yield start
    after_response._server_has_threads.cache_clear()


def test_under_uwsgi_without_threads_a_job_runs_in_the_thread_of_the_request(
    pool, rf, uwsgi, caplog
):
    uwsgi(workers=b"4")

    assert runs_here(rf.get("/"))
    assert runs_here(rf.get("/"))

    [record] = caplog.records
    assert (record.event_name, record.levelno) == ("threads_missing", logging.WARNING)
    assert "enable-threads" in record.getMessage()


@pytest.mark.parametrize("option", ["enable-threads", "threads"])
def test_under_uwsgi_with_threads_a_job_runs_in_a_thread(
    pool, request_, uwsgi, caplog, option
):
    uwsgi(**{option: True})

    assert not runs_here(request_)
    assert caplog.records == []


class Site:
    """The URLs of a site with one view, which runs `job` after its response."""

    def __init__(self, job):
        def view(request):
            return HttpResponse(after_response.run(request, job))

        self.urlpatterns = [path("", view)]


def test_the_job_is_over_when_the_test_client_returns(client, pool, settings):
    job = Job()
    settings.ROOT_URLCONF = Site(job)

    client.get("/")

    assert [thread for thread, _ in job.runs] == [HERE]


@pytest.mark.parametrize("background", [True, False])
def test_only_in_the_thread_of_the_request_a_job_lasts_a_minimum_time(
    pool, request_, settings, monkeypatch, background
):
    settings.PIGGY_VERIFY_BACKGROUND = background
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    after_response.run(request_, Job(), lasting=60)

    request_.close()

    pool.finish()
    assert [round(each) for each in slept] == ([] if background else [60])


ENDING = """
import os, time
import django
from django.conf import settings
settings.configure()
django.setup()
from django.test import RequestFactory
from django_piggy_verify.login import after_response

def job():
    time.sleep(0.05)
    os.write(1, f"{os.getpid()} ".encode())

def run(number):
    for _ in range(number):
        request = RequestFactory().get("/")
        assert after_response.run(request, job)
        request.close()
"""


def jobs_done(ending):
    """Run Python code in a process of its own. Return the process of each job."""
    command = [sys.executable, "-c", ENDING + ending]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return ran.stdout.split()


def test_all_jobs_are_done_when_the_process_ends():
    done = jobs_done(f"run({THREADS + WAITING})")

    assert len(done) == THREADS + WAITING


def test_a_child_process_has_threads_of_its_own():
    done = jobs_done(f"""
run({THREADS})
child = os.fork()
run(2)
if child:
    os.waitpid(child, 0)
""")

    assert sorted(done.count(each) for each in set(done)) == [2, THREADS + 2]
