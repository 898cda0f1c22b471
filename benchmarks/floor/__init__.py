"""
The floor: the same login, written by hand in an afternoon.

It has two views, two models and one session of `requests`. It has no limits, no
encryption, no JSON and no handling of errors. It shows who is a member.
"""
