"""Work runs once, after the response, in a thread or in ``request.close``."""

import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished
from django.db import connection, connections
from django.http import HttpResponse
from django.urls import path
from django.utils import translation

from django_piggy_verify.login import after_response, thread_pool
from django_piggy_verify.login.thread_pool import THREADS, WAITING

HERE = threading.main_thread()


class Job:
    """Records the thread and the language of each run, and may fail."""

    def __init__(self, error=None):
        self.runs = []
        self.is_done = threading.Event()
        self._error = error

    def __call__(self):
        self.runs.append((threading.current_thread(), translation.get_language()))
        self.is_done.set()
        if self._error:
            raise self._error


@pytest.fixture
def pool(monkeypatch, django_db_setup):
    """The threads of a new process, with a database that threads can share."""
    pool = thread_pool._Pool()
    monkeypatch.setattr(thread_pool, "_pool", pool)
    yield pool
    pool.finish()


@pytest.fixture
def request_(rf):
    """A request as a server makes it. The test clients make another kind."""
    return rf.get("/")


@pytest.fixture(params=[True, False], ids=["thread", "close"])
def background(request, settings):
    """Run jobs in threads, and then in ``request.close``."""
    settings.PIGGY_VERIFY_BACKGROUND = request.param
    return request.param


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
    assert [thread for thread, _ in job.runs] != [HERE]


def test_a_job_that_waits_keeps_no_body_in_memory(pool, rf):
    request = rf.post("/", {"email": "ann@example.com"})
    assert request.POST
    after_response.run(request, Job())

    request.close()

    assert not request.POST
    assert not request.body


def test_a_request_that_is_never_closed_has_its_job_run(pool, impatient, request_):
    job = Job()

    after_response.run(request_, job)

    assert job.is_done.wait(5)


def test_a_request_that_is_closed_twice_has_its_job_run_once(
    pool, request_, background
):
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


def test_a_job_runs_in_the_language_of_its_request(pool, request_, background):
    job = Job()
    with translation.override("nl"):
        after_response.run(request_, job)

    request_.close()

    assert job.is_done.wait(5)
    assert [language for _, language in job.runs] == ["nl"]


def test_a_job_has_the_context_variables_of_its_request(pool, request_, background):
    variable: ContextVar[str] = ContextVar("variable")
    found = []
    token = variable.set("of the request")
    after_response.run(request_, lambda: found.append(variable.get()))
    variable.reset(token)

    request_.close()

    pool.finish()
    assert found == ["of the request"]


def test_the_error_of_a_job_is_logged(pool, request_, caplog, background):
    after_response.run(request_, Job(RuntimeError("of a test")))

    request_.close()

    pool.finish()
    [record] = caplog.records
    assert (record.event_name, record.levelno) == ("job_failed", logging.ERROR)
    assert str(record.exc_info[1]) == "of a test"


def test_a_job_runs_although_the_request_cannot_be_closed(
    pool, patient, request_, background
):
    request_._files = None
    job = Job()
    after_response.run(request_, job)

    with pytest.raises(AttributeError):
        request_.close()

    assert job.is_done.wait(5)


def test_a_job_without_room_is_refused(pool, request_, caplog):
    gate, refused = threading.Event(), Job()
    for _ in range(THREADS + WAITING):
        thread_pool.put(gate.wait)

    is_accepted = after_response.run(request_, refused)

    request_.close()
    gate.set()
    pool.finish()
    assert not is_accepted
    assert refused.runs == []
    assert [each.event_name for each in caplog.records] == ["backlog_full"]


@pytest.mark.django_db
def test_the_job_of_a_visitor_who_has_disconnected_runs(
    pool, patient, async_rf, background
):
    job = Job()
    after_response.run(async_rf.get("/"), job)

    # All that Django does under ASGI.
    request_finished.send(sender=ASGIHandler)
    request_finished.send(sender=ASGIHandler)

    pool.finish()
    assert len(job.runs) == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_in_a_thread_leaves_no_connection_open(pool, impatient, request_):
    used = []

    def query():
        connection.ensure_connection()
        used.append(connection.connection)

    after_response.run(request_, query)

    pool.finish()
    [raw] = used
    with pytest.raises(Exception, match=r"(?i)closed|gone away|2006"):
        raw.cursor().execute("SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_a_job_in_a_thread_does_not_use_a_connection_that_is_too_old(
    pool, impatient, rf
):
    used = []

    def keep_for_a_moment():
        connection.ensure_connection()
        connection.close_at = time.monotonic() + 0.1

    after_response.run(rf.get("/"), keep_for_a_moment)
    time.sleep(0.3)
    after_response.run(rf.get("/"), lambda: used.append(connection.connection))

    pool.finish()
    assert used == [None]


@pytest.mark.django_db(transaction=True)
def test_a_job_for_a_visitor_who_has_disconnected_leaves_no_connection_open(
    async_rf, settings
):
    settings.PIGGY_VERIFY_BACKGROUND = False
    after_response.run(async_rf.get("/"), connection.ensure_connection)

    request_finished.send(sender=ASGIHandler)

    assert connection.connection is None


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


@pytest.mark.django_db
def test_a_thread_that_closes_the_request_uses_its_connection_only_for_the_job(
    request_, settings
):
    settings.PIGGY_VERIFY_BACKGROUND = False
    used = []
    after_response.run(request_, lambda: used.append(connections["default"]))

    def close():
        own = connections["default"]
        request_.close()
        return own is connections["default"]

    with ThreadPoolExecutor(1) as other:
        assert other.submit(close).result()
    assert used == [connections["default"]]
    assert not connections["default"].allow_thread_sharing


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


def test_only_in_the_thread_of_the_request_a_job_lasts_a_minimum_time(
    pool, request_, monkeypatch, background
):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    after_response.run(request_, Job(), lasting=60)

    request_.close()

    pool.finish()
    assert [round(each) for each in slept] == ([] if background else [60])
