"""Projects that differ from the test project: a module of settings each."""
