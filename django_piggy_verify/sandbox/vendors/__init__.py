"""The APIs that the sandbox emulates, one module each."""
