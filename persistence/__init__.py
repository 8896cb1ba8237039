"""How Tether keeps what it knows: SQLAlchemy Core on SQLite and PostgreSQL. Imports the domain, never GraphQL."""
