"""
The examinations of ``manage.py piggy_verify_doctor``.

Each module examines one area. Each examination is one small function that yields
findings. Code that serves requests imports nothing from here. No finding contains a
secret. The text of an unexpected error may contain one, so a finding names only the
type of the error.
"""
