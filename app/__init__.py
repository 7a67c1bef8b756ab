"""The service: web process, worker with its sandboxed children, command line."""
