"""Whom a viewer knows: themselves, and the members of each organization that they belong to.

Used by `roots.py`, which shows a person to those who know them, and by `shapes.py`: who is only named as somebody who
did something once, such as a former member, keeps their e-mail address to themselves.
"""

from persistence.documents.compiler import Compiler, Scope
from persistence.documents.membership import viewers_own
from persistence.documents.selection import Selected


def knows(compiler: Compiler, user: str) -> str:
    """Whether the viewer knows the user in a row of this alias, from whichever organization."""
    compiler.reach_all()
    me = compiler.viewer_id()
    return (
        f"({user}.id = {me} or exists (select 1 from memberships mine join memberships theirs "
        f"on theirs.organization_id = mine.organization_id "
        f"where {viewers_own(compiler, 'mine')} and theirs.user_id = {user}.id))"
    )


def email_of_acquaintance(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """A user's e-mail address; null for those who don't know them."""
    email = compiler.dialect.text(f"{scope.alias}.email")
    return f"case when {knows(compiler, scope.alias)} then {email} else 'null' end"
