"""Projects of other shapes than the test project: a module of settings each."""
