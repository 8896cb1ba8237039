"""Roles in documents: which role the viewer acts in, whether it reaches, and fields that only some roles may read.

Used by `shapes.py`, `computed.py` and `roots.py`; `refusals.py` reads what `ForRole` leaves in a document's text.
"""

from dataclasses import dataclass

from domain.entities.user import LEAST_ROLE, Action, Role
from persistence.documents.compiler import Call, Compiler, Scope, Written
from persistence.documents.dialects.dialect import Literal, Type, quoted
from persistence.documents.selection import Selected


@dataclass(frozen=True, slots=True)
class ForRole:
    """A list or object for those whose role reaches for `action`; null for the others, who are told at its place.

    It is one field of the answer that is refused: the rest of the document is answered.
    """

    action: Action
    written: Written

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        compiler.may_refuse = True
        written = self.written.write(compiler, field, scope)
        sign = [Literal('"'), compiler.dialect.refusal, Literal(f"{LEAST_ROLE[self.action]} ")]
        refused = compiler.dialect.concat([*sign, acting_role(compiler, scope), Literal('"')])
        return f"case when {may(compiler, scope, self.action)} then {written} else {refused} end"


@dataclass(frozen=True, slots=True)
class ForRoleOfRow:
    """A field for those whose role reaches for the one that a column names; null for the others, row by row."""

    column: str
    written: Written

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        ranks = {role.value: str(role.rank) for role in Role}
        needed = _rank(f"{scope.alias}.{self.column}", ranks)
        reaches = f"{_rank(scope.role, ranks)} <= {needed} and {_rank(_cap(compiler), ranks)} <= {needed}"
        return f"case when {reaches} then {self.written.write(compiler, field, scope)} else 'null' end"


def acting_role(compiler: Compiler, scope: Scope) -> str:
    """The role in which the viewer acts: their membership's, capped by their key's."""
    cap, ranks = _cap(compiler), {role.value: str(role.rank) for role in Role}
    return f"(case when {_rank(scope.role, ranks)} > {_rank(cap, ranks)} then {scope.role} else {cap} end)"


def may(compiler: Compiler, scope: Scope, action: Action) -> str:
    """Whether the viewer's role reaches."""
    able = ", ".join(quoted(role) for role in Role if role.covers(LEAST_ROLE[action]))
    return f"{scope.role} in ({able}) and {_cap(compiler)} in ({able})"


def _cap(compiler: Compiler) -> str:
    return compiler.named("role cap", _role_cap, Type.TEXT)


def _role_cap(call: Call) -> str:
    return call.viewer.role_cap.value


def _rank(expression: str, ranks: dict[str, str]) -> str:
    whens = " ".join(f"when {quoted(role)} then {rank}" for role, rank in ranks.items())
    return f"case {expression} {whens} end"
