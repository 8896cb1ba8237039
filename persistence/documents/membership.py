"""THE condition by which anything is read: the viewer is a member there, and asks by no key of another place.

Written into every statement that reads a tenant's rows: by the roots of documents, the viewer's list of memberships,
and the event reader, each with parameters of its own.
"""

from persistence.documents.compiler import Compiler


def viewers_own(compiler: Compiler, member: str) -> str:
    """That the row of `memberships` with this alias is the viewer's."""
    return own_membership(member, compiler.viewer_id(), compiler.confined_to())


def join_member(compiler: Compiler, member: str, organization: str) -> str:
    """A join of the viewer's membership in that organization, which leaves nothing where there is none."""
    return f"join memberships {member} on {member}.organization_id = {organization} and {viewers_own(compiler, member)}"


def own_membership(member: str, user: str, confined_to: str) -> str:
    """The condition itself. `confined_to`: a parameter that is null for a viewer who may be anywhere."""
    return f"{member}.user_id = {user} and coalesce({confined_to}, {member}.organization_id) = {member}.organization_id"
