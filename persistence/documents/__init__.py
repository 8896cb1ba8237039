"""Reads: a selection becomes one SQL statement that answers in JSON, and the answer goes to the client as it is."""
