import pytest

from django_piggy_verify.durations import about, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (121, "3 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (86400, "24 hours"),
    ],
)
def test_durations_are_written_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (119, "119 seconds"),
        (149, "2 minutes"),
        (151, "3 minutes"),
        (86399, "24 hours"),
    ],
)
def test_time_left_is_rounded_to_the_minute_or_hour(seconds, words):
    assert about(seconds) == words
