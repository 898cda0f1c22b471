"""Requests that no connect page makes, with and without a login in progress."""

import pytest
from django.test import Client

from tests.connecting.steps import CODE, CONNECT, DISCONNECT, RESEND, ask
from tests.steps import JSON

PATHS = [CONNECT, CODE, RESEND, DISCONNECT]


@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
@pytest.mark.parametrize("path", PATHS)
def test_a_post_without_a_csrf_token_is_refused(
    client, shopper, contact, path, headers
):
    ask(client)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies

    assert strict.post(path, headers=headers).status_code == 403


@pytest.mark.parametrize("begin", [ask, lambda _: None], ids=["begun", "none"])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_says_which_methods_it_has(client, shopper, contact, path, begin):
    begin(client)

    response = client.put(path)

    assert response.status_code == 405
    assert "POST" in response["Allow"]
