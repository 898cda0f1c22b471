"""Compare the routes, methods and errors of `docs/openapi.yaml` with the code."""

from typing import Any

import pytest

from django_piggy_verify import urls, urls_app
from django_piggy_verify.views import negotiation
from tests.documentation import openapi

BY_THEMSELVES = {"head", "options"}
OF_FORMS = {"invalid", *negotiation.OWN_ERROR_CODES}
ROUTES = {
    f"{mount}{pattern.pattern}": vars(pattern.callback)["view_class"]
    for mount, routes in (("/", urls), ("/api/login/", urls_app))
    for pattern in routes.urlpatterns
}


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi.load()


def test_the_document_has_every_route_and_no_other(document: Any) -> None:
    assert list(document["paths"]) == list(ROUTES)


@pytest.mark.parametrize("path", ROUTES)
def test_the_document_has_the_methods_of_a_route_and_no_other(
    document: Any, path: str
) -> None:
    listed = openapi.METHODS & set(document["paths"][path])

    assert listed == set(ROUTES[path].http_method_names) - BY_THEMSELVES


def test_the_document_has_every_error_and_no_other(document: Any) -> None:
    listed = document["components"]["schemas"]["ErrorCode"]["enum"]

    of_pages = {code for view in ROUTES.values() for code in view.messages}
    assert sorted(listed) == sorted(of_pages | OF_FORMS)


@pytest.mark.parametrize("path", ROUTES)
def test_the_document_has_only_errors_that_a_route_can_have(
    document: Any, path: str
) -> None:
    operations = {"paths": {path: document["paths"][path]}}

    listed = {each.code for each in openapi.answers({**document, **operations})}
    assert listed <= {"", *ROUTES[path].messages, *OF_FORMS}


def test_every_link_leads_to_an_operation(document: Any) -> None:
    responses = [
        response
        for *_, operation in openapi.operations(document)
        for response in operation["responses"].values()
    ]
    names = {operation["operationId"] for *_, operation in openapi.operations(document)}
    wanted = {"readLogin", "checkCode", "resendCode", "cancelLogin"}
    wanted |= {"checkFromApp", "resendFromApp"}

    links = {
        link["operationId"]
        for response in responses
        for link in response.get("links", {}).values()
    }
    assert links == wanted & names
