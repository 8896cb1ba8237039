"""Run by Alembic, for each migration, on the connection that `migrations/__init__.py` has opened."""

from alembic import context

from persistence.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by writing it anew
    user_module_prefix="",  # new revisions import our column types by name
)
context.run_migrations()
