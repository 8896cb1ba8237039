"""Operations made up from the schema, sent to a running server, whose answers are judged. `python -m tests.fuzz`."""
