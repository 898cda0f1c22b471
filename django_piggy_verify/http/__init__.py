"""HTTP calls with one deadline, over connections that are kept open."""
