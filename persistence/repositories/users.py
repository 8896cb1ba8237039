"""People as rows, found again by their e-mail address in any case.

Reached as `unit.users`.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.exc import IntegrityError

from domain.entities.email_address import email_key
from domain.entities.user import User
from domain.errors import NameTaken
from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import users
from persistence.transaction import Transaction

_c = users.c
_TAKEN: Final = "This e-mail address is another user's already."


class SqlUserRepository:
    """Implements UserRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, user_id: UUID) -> User | None:
        return await self._one(_c.id == user_id)

    async def find_by_email(self, email: str) -> User | None:
        return await self._one(_c.email_key == email_key(email))

    async def add(self, user: User) -> None:
        """Raises NameTaken, field ("input", "email"), if the address is another user's."""
        if not await self._insert(user):
            raise NameTaken(_TAKEN, ("input", "email"))

    async def find_or_add(self, user: User) -> User:
        present = None if user.email is None else await self.find_by_email(user.email)
        if present is not None:
            return present
        if await self._insert(user):
            return user
        return await self.find_or_add(user)  # by now another transaction's is there

    async def save(self, user: User) -> None:
        values = {"name": user.name, "email": user.email, "email_key": _key(user), "avatar_url": user.avatar_url}
        try:
            await self._transaction.execute(update(users).where(_c.id == user.id).values(values))
        except IntegrityError as error:
            raise NameTaken(_TAKEN, ("input", "email")) from error

    async def _insert(self, user: User) -> bool:
        """False if the e-mail address is taken."""
        values = {
            "id": user.id,
            "name": user.name,
            "email": user.email,
            "email_key": _key(user),
            "avatar_url": user.avatar_url,
            "created_at": user.created_at,
        }
        return await insert_if_new(self._transaction, users, values)

    async def _one(self, condition: ColumnElement[bool]) -> User | None:
        statement = select(users).where(condition)
        if self._transaction.writes:
            statement = statement.with_for_update(key_share=True)
        row = (await self._transaction.execute(statement)).one_or_none()
        return None if row is None else user_entity(row)


def _key(user: User) -> str | None:
    return None if user.email is None else email_key(user.email)


def user_entity(row: Row[Any]) -> User:
    """The user that a row of `users`, alone or joined to others, holds."""
    columns = row._mapping
    return User(columns[_c.id], columns[_c.name], columns[_c.email], columns[_c.avatar_url], columns[_c.created_at])
