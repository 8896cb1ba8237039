"""How each database writes JSON as text: the few spellings in which SQLite and PostgreSQL differ."""

from persistence.documents.dialects.dialect import Dialect
from persistence.documents.dialects.postgresql import PostgreSQL
from persistence.documents.dialects.sqlite import SQLite

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (PostgreSQL(), SQLite())}
