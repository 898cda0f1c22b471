"""Projects that stub `requests` in their tests see the documented calls."""

import pytest
import requests
import responses

from django_piggy_verify.loyalty import fetch_contact
from django_piggy_verify.testing import login_contact
from tests.steps import ADDRESS, ask_for_code, type_code

API = "https://api.piggy.eu/api/v3/oauth/clients/contact-verification"
UID = "123abc-lmnopq-3242a-8899aa"


@pytest.fixture
def api():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as stub:
        stub.post(f"{API}/send", json={"data": {"type": "Success"}, "meta": []})
        stub.post(f"{API}/verify", json={"data": {"uuid": UID}, "meta": {}})
        token = {"data": {"auth_token": "eyJ"}, "meta": []}
        stub.get(f"{API}/auth-token/{UID}", json=token)
        yield stub


def test_a_contact_logs_in_at_the_live_address(client, db, api):
    ask_for_code(client)

    assert type_code(client, "123456").url == "/members/"
    assert [call.request.url.removeprefix(API) for call in api.calls] == [
        "/send",
        "/verify",
        f"/auth-token/{UID}",
    ]


def test_key_and_address_travel_as_the_vendor_documents(client, db, api):
    ask_for_code(client)

    request = api.calls[0].request
    assert request.headers["Authorization"] == "Bearer test-api-key"
    assert request.headers["Accept"] == "application/json"
    assert request.body == f'{{"email":"{ADDRESS}"}}'.encode()


def test_a_contact_is_fetched_at_the_live_address(client, db, api):
    url = "https://api.piggy.eu/api/v3/oauth/clients/contacts"
    api.get(f"{url}/{UID}", json={"data": {"uuid": UID}, "meta": []})

    assert fetch_contact(login_contact(client, ADDRESS, uid=UID)) == {"uuid": UID}

    request = api.calls[-1].request
    assert request.url == f"{url}/{UID}"
    assert request.headers["Authorization"] == "Bearer test-api-key"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (requests.ConnectionError, 503),
        (requests.ConnectTimeout, 503),
        (requests.exceptions.SSLError, 503),
        (requests.ReadTimeout, 200),
        (requests.exceptions.ChunkedEncodingError, 200),
    ],
)
def test_a_failure_is_shown_if_the_request_cannot_have_left(
    client, db, api, error, status
):
    api.replace(responses.POST, f"{API}/send", body=error())

    assert ask_for_code(client).url == "/login/code/"
    assert client.get("/login/code/").status_code == status
