"""What is asked: strategies of hypothesis-graphql, with values that hit the world, such as don't, and such as hurt."""

import random
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NameNode,
    Node,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    is_abstract_type,
    parse,
    parse_const_value,
    print_ast,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import Mode, from_schema, mutations, nodes, queries

from tests.documents.data import World
from tests.documents.values import Values

CANARY: Final = "canary-of-a-secret-that-no-answer-may-repeat"
SPARE_KEYS: Final = 2
SPARE_USERS: Final = 3
"""The last of them: those that may be revoked and removed, since nobody asks by them."""
_SECRET_MEMBERS: Final = {"token", "privateKey"}
_ONE_OFS: Final = {"OrganizationBy": '{slug: "acme"}', "CredentialInput": f'{{token: {{token: "{CANARY}"}}}}'}
_FORMS: Final = {
    name: re.compile(rf"{kind}_[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}")
    for name, kind in {"userId": "user", "apiKeyId": "key", "connectionIds": "conn"}.items()
}
_BY_THE_CLOCK: Final = {
    "ConnectionHealth": ["uptime", "latency", "series"],
    "Organization": ["expiringCredentials", "commands", "commandSelection"],
    "ConnectionSummary": ["expiringCredentials"],
    "ApiKey": ["lastUsedAt"],
    "Service": ["webhookUrl"],
    "Query": ["rateLimit"],
}
"""Fields that say something else at another moment or address, or of another caller's use."""
_HOSTILE_TEXTS: Final = [
    *("", "\x00", "\ufeff", "'; drop table users; --", '"\\\u2028', "%_%", "{}", "~" * 50, "conn_", "1e400", "NaN"),
    *("../../etc/passwd", "${jndi:ldap://x}", "{{7*7}}", "\U0001f469\u200d\U0001f680" * 20, "\u202e", "x" * 900, "-"),
    *("__proto__", "0" * 40, "2026-13-45T99:99:99Z", "http://127.0.0.1:1/", "file:///etc/passwd", "\r\nX-Injected: 1"),
]  # fmt: skip


class Operations:
    """The strategies for one schema and one world. Each gives operations' texts."""

    def __init__(self, sdl: str, world: World) -> None:
        self._schema = plain(sdl)
        self._stored = plain(sdl)
        for type_name, names in _BY_THE_CLOCK.items():
            type_ = self._stored.type_map[type_name]
            assert isinstance(type_, GraphQLObjectType)
            for name in names:
                type_.fields.pop(name, None)
        organization = self._stored.type_map["Organization"]
        assert isinstance(organization, GraphQLObjectType)
        organization.fields["apiKeys"].args.pop("usable")
        self._likely, self._any = _scalars(world, hostile=False), _scalars(world, hostile=True)
        self._aims, self._feeds = _aims(world), _feed_cursors(world)

    def stored(self) -> st.SearchStrategy[str]:
        """Queries of what is stored, with values that mostly fit."""
        return self._texts(queries, self._stored, self._likely).map(_with_pages_that_can_be)

    def queries(self) -> st.SearchStrategy[str]:
        return self._texts(queries, self._schema, self._any)

    def invalid(self) -> st.SearchStrategy[str]:
        """Operations that the schema doesn't allow."""
        return self._texts(from_schema, self._schema, self._any, mode=Mode.NEGATIVE)

    def mutations(self) -> st.SearchStrategy[str]:
        """Of one or more fields; what they give as a secret is the canary."""
        return self._texts(mutations, self._schema, self._any)

    def subscriptions(self) -> st.SearchStrategy[str]:
        """Of one field, since more can't be asked."""
        assert self._schema.subscription_type is not None
        as_query = rooted(self._schema, self._schema.subscription_type)
        names = self._schema.subscription_type.fields
        made = [self._texts(queries, as_query, self._likely, fields=[name]) for name in names]
        return st.one_of(made).map(lambda text: "subscription " + _from_the_beginning(text, self._feeds))

    def _texts(self, make: Any, schema: GraphQLSchema, scalars: Any, **options: Any) -> st.SearchStrategy[str]:
        def written(document: DocumentNode) -> str:
            invalid = options.get("mode") is Mode.NEGATIVE
            return print_ast(document if invalid else _judgeable(document, schema, self._aims))

        texts: st.SearchStrategy[str] = make(schema, custom_scalars=scalars, print_ast=written, **options)
        return texts


def plain(sdl: str) -> GraphQLSchema:
    """The schema with nothing of Strawberry in it."""
    return build_schema(sdl.replace("directive @oneOf on INPUT_OBJECT\n", ""))


def rooted(schema: GraphQLSchema, root: GraphQLObjectType) -> GraphQLSchema:
    """The same, with another type in the place of Query and no other operations."""
    parts: dict[str, Any] = {**schema.to_kwargs(), "query": root, "mutation": None, "subscription": None}
    return GraphQLSchema(**parts)


def _judgeable(document: DocumentNode, schema: GraphQLSchema, aims: Mapping[str, Sequence[str]]) -> DocumentNode:
    """With the type's name wherever there may be several, and one member of each @oneOf.

    Most ids become such as belong there, and each secret becomes the canary.
    """
    info = TypeInfo(schema)

    class Marking(Visitor):
        def leave_selection_set(self, node: SelectionSetNode, _key: Any, parent: Any, *_: Any) -> Node | None:
            if isinstance(parent, OperationDefinitionNode | InlineFragmentNode) or not is_abstract_type(
                info.get_parent_type()
            ):
                return None
            name = FieldNode(
                name=NameNode(value="__typename"), alias=None, arguments=(), directives=(), selection_set=None
            )
            return SelectionSetNode(selections=(name, *node.selections))

        def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> Node | None:
            if node.name.value in _SECRET_MEMBERS and isinstance(node.value, StringValueNode):
                return ObjectFieldNode(name=node.name, value=StringValueNode(value=CANARY, block=False))
            aimed = _aimed(node, aims)
            return None if aimed is None else ObjectFieldNode(name=node.name, value=aimed)

        def enter_object_value(self, node: ObjectValueNode, *_: Any) -> Node | None:
            type_ = get_named_type(info.get_input_type())
            if not isinstance(type_, GraphQLInputObjectType) or not type_.is_one_of:
                return None
            given = [one for one in node.fields if not isinstance(one.value, NullValueNode)]
            return ObjectValueNode(fields=tuple(given[:1])) if given else parse_const_value(_ONE_OFS[type_.name])

        def enter_argument(self, node: ArgumentNode, *_: Any) -> Node | None:
            aimed = _aimed(node, aims)
            return None if aimed is None else ArgumentNode(name=node.name, value=aimed)

    marked: DocumentNode = visit(document, TypeInfoVisitor(info, Marking()))
    return marked


def _aimed(node: ArgumentNode | ObjectFieldNode, aims: Mapping[str, Sequence[str]]) -> StringValueNode | None:
    """Another value for three in four ids, chosen by the one that is there; None where that stays."""
    candidates = aims.get(node.name.value)
    if candidates is None or not isinstance(node.value, StringValueNode):
        return None
    draw = zlib.crc32(node.value.value.encode("utf-8", "surrogatepass"))
    if draw % 4 == 0 or node.value.value in candidates:
        return None
    return StringValueNode(value=candidates[draw % len(candidates)], block=False)


def _aims(world: World) -> dict[str, list[str]]:
    """By the names of arguments and members. The first organization, of which most callers are, comes most."""
    tables = {
        "organizationId": ("org", "organizations"),
        "connectionId": ("conn", "service_connections"),
        "userId": ("user", "users"),
        "apiKeyId": ("key", "api_keys"),
        "repositoryId": ("repo", "repositories"),
        "invitationId": ("inv", "invitations"),
    }
    ids = {name: [f"{prefix}_{row['id']}" for row in world.table(table)] for name, (prefix, table) in tables.items()}
    ids["organizationId"] += ids["organizationId"][:1] * 8
    ids["userId"], ids["apiKeyId"] = ids["userId"][-SPARE_USERS:], ids["apiKeyId"][-SPARE_KEYS:]
    return {**ids, "service": ["github", "slack"]}


def _with_pages_that_can_be(text: str) -> str:
    """Pages from one end of their lists, without cursors, which would have to be the list's own; ids of the right kind.

    What is wrong there is refused also where nothing is read, of which the slow evaluator knows nothing.
    """

    class Paging(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> Node | None:
            given = {one.name.value for one in node.arguments or ()}
            dropped = {"after", "before", "last"} if "first" in given else {"after", "before"}
            kept = tuple(one for one in node.arguments or () if one.name.value not in dropped)
            return node if len(kept) == len(node.arguments or ()) else _with_arguments(node, kept)

        def enter_object_value(self, node: ObjectValueNode, *_: Any) -> Node | None:
            kept = tuple(one for one in node.fields if _fits(one))
            return node if len(kept) == len(node.fields) else ObjectValueNode(fields=kept)

    return print_ast(visit(parse(text), Paging()))


def _fits(member: ObjectFieldNode) -> bool:
    form = _FORMS.get(member.name.value)
    given = member.value.values if isinstance(member.value, ListValueNode) else (member.value,)
    return form is None or all(isinstance(one, StringValueNode) and form.fullmatch(one.value) for one in given)


def _with_arguments(node: FieldNode, arguments: tuple[ArgumentNode, ...]) -> FieldNode:
    return FieldNode(
        name=node.name,
        alias=node.alias,
        arguments=arguments,
        directives=node.directives,
        selection_set=node.selection_set,
    )


def _feed_cursors(world: World) -> dict[str, str]:
    """By the ids of organizations: the beginning of each one's feed."""
    return {
        f"org_{row['organization_id']}": f"evt~{row['organization_id']}~{row['epoch']}~0"
        for row in world.table("event_counters")
    }


def _from_the_beginning(text: str, feeds: Mapping[str, str]) -> str:
    """With a cursor of the very feed, so that there are events, unless it is nobody's."""

    class Beginning(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> Node | None:
            given = {one.name.value: one for one in node.arguments or ()}
            whose = given["organizationId"].value if "organizationId" in given else None
            if not isinstance(whose, StringValueNode) or whose.value not in feeds:
                return None
            after = StringValueNode(value=feeds[whose.value], block=False)
            given["after"] = ArgumentNode(name=NameNode(value="after"), value=after)
            return _with_arguments(node, tuple(given.values()))

    return print_ast(visit(parse(text), Beginning()))


def _scalars(world: World, *, hostile: bool) -> dict[str, st.SearchStrategy[Any]]:
    """Values of all scalars by their types' names."""
    values, chance = Values(world), random.Random(20261126)  # noqa: S311 - draws, not secrets
    pool = {
        "ID": [values.draw("id", chance) for _ in range(150)] + ["github", "slack"] * 5,
        "String": ["acme"] * 20
        + list(_feed_cursors(world).values()) * 3
        + [values.draw(name, chance) for name in ("slug", "search") for _ in range(20)],
        "DateTime": [values.draw("since", chance) for _ in range(40)],
        "URL": ["https://app.example.com/done"],
    }
    texts = {name: st.sampled_from(each).map(nodes.String) for name, each in pool.items()}
    numbers = st.sampled_from([0, 1, 2, 3, 5, 8, 25]).map(nodes.Int)
    objects = st.sampled_from(["{}", '{team: "platform"}', '{team: "platform", tier: "1"}']).map(parse_const_value)
    if hostile:
        hurting = st.one_of(st.sampled_from(_HOSTILE_TEXTS), st.text(max_size=30)).map(nodes.String)
        texts = {name: st.one_of(each, each, hurting) for name, each in texts.items()}
        numbers = st.one_of(numbers, numbers, st.integers(-(2**31), 2**31 - 1).map(nodes.Int))
        odd = ["[]", "0", "null", '"x"', "[[{a: [1.5e300]}]]", "{__proto__: {a: 1}}", "123456789012345678901234567890"]
        objects = st.one_of(objects, st.sampled_from(odd).map(parse_const_value))
    return {**texts, "Int": numbers, "JSON": objects}
