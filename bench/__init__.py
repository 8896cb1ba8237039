"""The bench: Tether measured beside other GraphQL servers, in one run, on the same tables. `make bench` runs it."""
