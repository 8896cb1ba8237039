"""The metadata that all tables belong to: how constraints and indexes are named, on both databases.

Used by the rooms of tables beside it.
"""

from sqlalchemy import MetaData

from persistence.probe_column import with_probe_type

metadata = with_probe_type(
    MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
)
