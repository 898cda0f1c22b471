"""Texts and numbers that tracebacks do not show."""

from pprint import pformat

import pytest

from django_piggy_verify.secret import Secret, SecretBytes, SecretFloat, SecretInt

VALUES = [
    pytest.param(Secret("493027"), id="text"),
    pytest.param(SecretBytes(b"493027"), id="bytes"),
    pytest.param(SecretInt(493027), id="integer"),
    pytest.param(SecretFloat(493027.5), id="number"),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_report_of_a_local_variable_does_not_show_it(value):
    assert "493027" not in repr(value)
    assert "493027" not in pformat({"found": [value]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(Secret("a7"), "a7", id="text"),
        pytest.param(SecretInt(4711), "4711", id="integer"),
        pytest.param(SecretFloat(0.5), "0.5", id="number"),
    ],
)
def test_an_id_in_an_answer_becomes_an_ordinary_text(value, text):
    assert str(value) == f"{value}" == text
    assert type(str(value)) is str
