"""The commands of `tether`, one a file, each with `run(arguments) -> int`: its exit code. Called by `gql/__main__.py`."""
