"""
Whether this installation can log anybody in, in plain words.

One module an area; each examination is one small function that yields findings.
Nothing here is imported by what serves requests, and nothing prints a secret: what
an error says may hold one, so that of an unforeseen error only its class is told.
"""
