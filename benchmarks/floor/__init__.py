"""
The floor: the same login by hand, as it is written in an afternoon.

Two views, two rows, one session of `requests`; no limits, no encryption, no silence
about strangers, no JSON, nothing for failures.
"""
