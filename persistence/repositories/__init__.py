"""The repositories of `domain/ports.py`, in SQLAlchemy Core: one table each, rows to entities and back."""
