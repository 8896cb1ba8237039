"""Tables of GraphQL operations themselves: the documents that clients may ask for by an id.

Read through `persistence/tables`.
"""

from sqlalchemy import Column, Table, Text

from persistence.column_types import Timestamp, ordered_text
from persistence.tables.metadata import metadata

trusted_documents = Table(
    "trusted_documents",
    metadata,
    Column("id", ordered_text(), primary_key=True),
    Column("text", Text, nullable=False),
    Column("name", ordered_text(), nullable=False),
    Column("first_published_at", Timestamp, nullable=False),
    Column("published_at", Timestamp, nullable=False),
    Column("used_at", Timestamp),
)
