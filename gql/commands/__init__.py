"""The commands of `tether`, one a file, each with `run(arguments)`, which gives its exit code to `gql/__main__.py`."""
