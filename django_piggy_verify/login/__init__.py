"""A login in progress: the code is sent and checked, and the browser is remembered."""
