"""The hostile documents: operations' texts, by names that say what each is, with the codes of their refusal."""

from collections.abc import Mapping
from typing import Final

from graphql import get_introspection_query

PARSE: Final = "GRAPHQL_PARSE_FAILED"
VALID: Final = "GRAPHQL_VALIDATION_FAILED"
INPUT: Final = "BAD_USER_INPUT"
COST: Final = "COST_LIMIT_EXCEEDED"

Refused = tuple[tuple[str, ...], str]


def documents() -> Mapping[str, Refused]:
    """By name: the codes of which one is answered, none where it has to work; and the text."""
    return {**_many(), **_deep(), **_fragments(), **_introspections(), **_directives(), **_values(), **_texts()}


def _many() -> dict[str, Refused]:
    acme = 'organization(by: {slug: "acme"})'
    pages = " ".join(
        f"a{n}: connections(first: 100) {{ nodes {{ repositories(first: 100) {{ nodes {{ id }} }} }} }}"
        for n in range(25)
    )
    return {
        "2,000 aliases of a root field": ((VALID, PARSE), "{ " + " ".join(f"a{n}: viewer {{ user {{ id }} }}" for n in range(280)) + " }"),
        "30 aliases of a field with a subtree": ((), "{ viewer { " + " ".join(f"a{n}: user {{ id name email }}" for n in range(30)) + " } }"),
        "20 root fields of full pages": ((COST, VALID, "answered"), "{ " + " ".join(f"a{n}: {acme} {{ connections(first: 100) {{ nodes {{ repositories(first: 100) {{ nodes {{ id }} }} }} }} }}" for n in range(20)) + " }"),
        "25 pages of pages": ((COST,), f"{{ {acme} {{ {pages} }} }}"),
        "one field 1,900 times": ((VALID,), "{ viewer { user { " + "id " * 1_900 + "} } }"),
        "an object 400 times": ((VALID,), "{ viewer { " + "user { id } " * 400 + "} }"),
        "30 objects that overlap, 30 within each": ((VALID,), "{ viewer { " + ("user { " + "id " * 28 + "} ") * 28 + "} }"),
        "300 unknown fields": ((VALID,), "{ viewer { user { " + " ".join(f"nam{n}" for n in range(300)) + " } } }"),
        "1,900 unknown fields": ((VALID,), "{ viewer { user { " + " ".join(f"n{n}" for n in range(1_900)) + " } } }"),
        "300 unknown root fields": ((VALID,), "{ " + " ".join(f"organizatio{n}" for n in range(300)) + " }"),
        "an unknown field of 30,000 characters": ((VALID,), "{ viewer { " + "u" * 30_000 + " } }"),
        "300 unknown arguments": ((VALID,), '{ organization(by: {slug: "acme"}) { connections(' + " ".join(f"firs{n}: 1" for n in range(300)) + ") { totalCount } } }"),
        "300 equal arguments": ((VALID,), '{ organization(by: {slug: "acme"}) { connections(' + "first: 1 " * 300 + ") { totalCount } } }"),
        "400 unknown input fields": ((VALID,), '{ organization(by: {slug: "acme"}) { connections(filter: {' + " ".join(f"statu{n}: 1" for n in range(400)) + "}) { totalCount } } }"),
        "400 equal input fields": ((VALID,), '{ organization(by: {slug: "acme"}) { connections(filter: {' + 'search: "a" ' * 400 + "}) { totalCount } } }"),
        "300 unknown types": ((VALID,), "query Q(" + " ".join(f"$v{n}: Strin{n}" for n in range(300)) + ") { viewer { user { id } } }"),
        "300 unknown types in fragments": ((VALID,), "{ viewer { " + " ".join(f"... on Use{n} {{ id }}" for n in range(300)) + " } }"),
        "450 operations": ((PARSE,), " ".join(f"query Q{n} {{ __typename }}" for n in range(450))),
        "400 valid operations": ((VALID,), " ".join(f"query Q{n} {{ __typename }}" for n in range(380))),
        "100 operations": ((VALID,), " ".join(f"query Q{n} {{ __typename }}" for n in range(100))),
        "400 operations of one name": ((VALID,), "query Q { __typename } " * 380),
        "400 variables": ((VALID,), "query Q(" + " ".join(f"$v{n}: Int" for n in range(400)) + ") { viewer { user { id } } }"),
        "150 variables that are used": ((PARSE,), "query Q(" + " ".join(f"$v{n}: Int" for n in range(150)) + ") { " + 'organization(by: {slug: "acme"}) { ' + " ".join(f"connections(first: $v{n}) {{ totalCount }}" for n in range(150)) + " } }"),
        "400 variables of one name": ((VALID,), "query Q(" + "$v: Int " * 400 + ") { viewer { user { id } } }"),
        "1,000 variables that nobody declared": ((VALID,), "{ node(id: [" + " ".join(f"$v{n}" for n in range(900)) + "]) { id } }"),
        "a subscription with 20 fields": ((INPUT, VALID), "subscription { " + " ".join(f'a{n}: connectionEvents(organizationId: "x") {{ id }}' for n in range(20)) + " }"),
    }  # fmt: skip


def _deep() -> dict[str, Refused]:
    return {
        "fields nested 900 deep": ((PARSE,), "{ a" * 900 + " }" * 900),
        "fields nested 150 deep": ((VALID, PARSE), "{ viewer " + "{ user " * 150 + "{ id }" + " }" * 151),
        "a valid path of 100 levels": ((VALID, PARSE), '{ organization(by: {slug: "acme"}) { connections { nodes { ' + "organization { connections { nodes { " * 40 + "id" + " } } }" * 40 + " } } } }"),
        "lists nested 900 deep": ((PARSE,), "{ node(id: " + "[" * 900 + "]" * 900 + ") { id } }"),
        "lists nested 150 deep": ((VALID, PARSE), "{ node(id: " + "[" * 150 + "]" * 150 + ") { id } }"),
        "objects nested 900 deep": ((PARSE,), "{ node(id: " + "{a: " * 600 + "1" + "}" * 600 + ") { id } }"),
        "labels nested 150 deep": ((VALID, PARSE, INPUT), '{ organization(by: {slug: "acme"}) { connections(filter: {labels: ' + "{a: " * 150 + "1" + "}" * 150 + "}) { totalCount } } }"),
        "a type of lists 900 deep": ((PARSE,), "query Q($a: " + "[" * 900 + "Int" + "]" * 900 + ") { viewer { user { id } } }"),
        "a type of lists 150 deep": ((VALID, PARSE), "query Q($a: " + "[" * 150 + "Int" + "]" * 150 + ") { viewer { user { id } } }"),
        "inline fragments nested 600 deep": ((PARSE, VALID), "{ viewer { " + "... { " * 450 + "user { id }" + " }" * 450 + " } }"),
        "inline fragments nested 150 deep": ((PARSE, VALID, "answered"), "{ viewer { " + "... { " * 150 + "user { id }" + " }" * 150 + " } }"),
    }  # fmt: skip


def _fragments() -> dict[str, Refused]:
    def chain(length: int, spreads: int, last: str) -> str:
        made = [f"fragment F{n} on Viewer {{ " + f"...F{n + 1} " * spreads + "}" for n in range(length)]
        return "{ viewer { ...F0 } } " + " ".join(made) + f" fragment F{length} on Viewer {{ {last} }}"

    circle = " ".join(f"fragment C{n} on Viewer {{ ...C{(n + 1) % 300} }}" for n in range(300))
    web = " ".join(
        f"fragment W{n} on Viewer {{ " + " ".join(f"...W{other}" for other in range(25) if other != n) + " }"
        for n in range(25)
    )
    triangle = " ".join(
        f"fragment T{n} on Viewer {{ user {{ id }} " + " ".join(f"...T{other}" for other in range(n + 1, 28)) + " }"
        for n in range(28)
    )
    overlap = " ".join(f"fragment O{n} on User {{ a{n}: id name email }}" for n in range(28))
    within = " ".join(
        f"fragment D{n} on Organization {{ connections {{ nodes {{ organization {{ ...D{n + 1} ...D{n + 1} }} }} }} }}"
        for n in range(12)
    )
    doubled = chain(9, 2, "user { id }").partition("} } ")[2]
    return {
        "80 operations that spread a bomb below the limit": ((VALID,), " ".join(f"query Q{n} {{ viewer {{ ...F0 }} }}" for n in range(80)) + " " + doubled),
        "fragments spread twice, 20 deep": ((VALID,), chain(20, 2, "user { id }")),
        "fragments spread 10 times, 40 deep": ((VALID,), chain(40, 10, "user { id }")),
        "a chain of 300 fragments": ((VALID, PARSE, "answered"), chain(250, 1, "user { id }")),
        "a circle of 300 fragments": ((VALID, PARSE), "{ viewer { ...C0 } } " + circle),
        "a fragment within itself": ((VALID,), "{ viewer { ...F } } fragment F on Viewer { ...F }"),
        "a fragment within its own field": ((VALID,), '{ organization(by: {slug: "a"}) { ...F } } fragment F on Organization { connections { nodes { organization { ...F } } } }'),
        "25 fragments that all spread each other": ((VALID,), "{ viewer { ...W0 } } " + web),
        "28 fragments that spread all that follow": ((VALID,), "{ viewer { ...T0 } } " + triangle),
        "28 fragments that overlap": ((VALID, "answered"), "{ viewer { user { " + " ".join(f"...O{n}" for n in range(28)) + " } } } " + overlap),
        "fragments through fields, twice each": ((VALID,), '{ organization(by: {slug: "acme"}) { ...D0 } } ' + within + " fragment D12 on Organization { id }"),
        "300 unused fragments": ((VALID,), "{ viewer { user { id } } } " + " ".join(f"fragment U{n} on User {{ id }}" for n in range(270))),
        "99 unused fragments": ((VALID,), "{ viewer { user { id } } } " + " ".join(f"fragment U{n} on User {{ id name }}" for n in range(99))),
        "300 fragments of one name": ((VALID,), "{ viewer { user { ...U } } } " + "fragment U on User { id } " * 270),
        "unused fragments that bomb": ((VALID,), "{ viewer { user { id } } } " + chain(40, 10, "user { id }").partition("} } ")[2]),
        "an unused fragment that asks for 480 fields twice": ((VALID,), "{ viewer { user { id } } } fragment U on Query {" + " services { id }" * 480 + "}"),
        "the first of two fragments, which asks for 470 fields twice": ((VALID,), "{ ...U } fragment U on Query {" + " services { id }" * 470 + "} fragment U on Query { services { id } }"),
        "600 unknown fragments": ((VALID,), "{ viewer { " + " ".join(f"...X{n}" for n in range(600)) + " } }"),
        "600 spreads of one fragment": ((VALID,), "{ viewer { " + "...F " * 600 + "} } fragment F on Viewer { user { id } }"),
        "fragments on types that can't be": ((VALID,), "{ viewer { " + "... on Repository { id } " * 250 + "} }"),
    }  # fmt: skip


def _introspections() -> dict[str, Refused]:
    of_type = "ofType { " * 150 + "name" + " }" * 150
    fields = "fields { type { " * 30 + "name" + " } }" * 30
    interfaces = "possibleTypes { interfaces { " * 20 + "name" + " } }" * 20
    full = "name description fields(includeDeprecated: true) { name description args { name description type { name kind } } type { name kind } } "
    return {
        "ofType 150 deep": ((), f"{{ __schema {{ types {{ {of_type} }} }} }}"),
        "fields of types of fields, 30 times": ((VALID, PARSE), f"{{ __schema {{ types {{ {fields} }} }} }}"),
        "fields of types of fields, 4 times": ((VALID, COST), "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"),
        "fields of a type of fields, 6 times": ((VALID, COST), '{ __type(name: "Query") { ' + "fields { type { ofType { " * 5 + "name" + " } } }" * 5 + " } }"),
        "possible types of interfaces, 20 times": ((VALID, PARSE), f'{{ __type(name: "Node") {{ {interfaces} }} }}'),
        "30 full introspections by aliases": ((VALID, PARSE), "{ __schema { " + " ".join(f"a{n}: types {{ {full} }}" for n in range(30)) + " } }"),
        "5 full introspections by aliases": ((VALID, COST), "{ __schema { " + " ".join(f"a{n}: types {{ {full} }}" for n in range(5)) + " } }"),
        "the introspection that tools send": ((), get_introspection_query(specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True, one_of=True)),
        "2 full introspections": ((VALID,), "{ a: __schema { types { " + full + "} } b: __schema { types { " + full + "} } }"),
        "members of members of all types": ((VALID,), "{ __schema { types { fields { args { type { fields { args { name description } } } } type { ofType { fields { name args { name description } } } } } } } }"),
        "members of members of one type": ((), '{ __type(name: "Organization") { fields { name type { ofType { fields { name description args { name description type { name } } } } fields { name description args { name description type { name } } } } } } }'),
        "100 __type of aliases": ((VALID,), "{ " + " ".join(f'a{n}: __type(name: "Query") {{ name }}' for n in range(100)) + " }"),
        "an operation called __schema": ((), "query __schema { __typename }"),
        "an operation called __proto__": ((), "query __proto__ { __proto__: __typename constructor: __typename }"),
        "a fragment called __proto__": ((), "{ viewer { ...__proto__ } } fragment __proto__ on Viewer { user { __proto__: id } }"),
        "fields called __proto__": ((VALID,), "{ __proto__ { constructor } prototype }"),
        "variables called __proto__": ((), "query Q($__proto__: Boolean = true) { viewer { user { id @include(if: $__proto__) } } }"),
        "__typename 1,900 times": ((VALID,), "{ " + "__typename " * 1_900 + "}"),
    }  # fmt: skip


def _directives() -> dict[str, Refused]:
    booleans = " ".join(f"$b{n}: Boolean!" for n in range(8))
    conditions = " ".join(f"@include(if: $b{n})" for n in range(8))
    return {
        "500 equal directives": ((VALID,), "{ viewer { user { id " + "@include(if: true) " * 270 + "} } }"),
        "600 unknown directives": ((VALID,), "{ viewer { user { id " + " ".join(f"@a{n}" for n in range(600)) + " } } }"),
        "600 directives of an operation": ((VALID,), "query Q " + " ".join(f"@a{n}" for n in range(600)) + " { viewer { user { id } } }"),
        "600 directives of variables": ((VALID,), "query Q($a: Int " + " ".join(f"@a{n}" for n in range(600)) + ") { viewer { user { id } } }"),
        "600 directives of a fragment": ((VALID,), "{ viewer { ...F } } fragment F on Viewer " + " ".join(f"@a{n}" for n in range(600)) + " { user { id } }"),
        "50 directives, one on each field": ((VALID, "answered"), "{ viewer { user { " + " ".join(f"a{n}: id @skip(if: true) @include(if: false)" for n in range(24)) + " } } }"),
        "8 booleans, and one directive of each": ((VALID,), f"query Q({booleans}) {{ viewer {{ user {{ id {conditions} }} }} }}"),
        "9 variables that are booleans": ((VALID,), f"query Q({booleans} $b9: Boolean!) {{ viewer {{ user {{ id @include(if: $b9) }} }} }}"),
        "directives in a bomb of fragments": ((VALID,), "{ viewer { " + "...F @include(if: true) " * 45 + "} } fragment F on Viewer { " + "...G @skip(if: false) " * 45 + "} fragment G on Viewer { user { id } }"),
    }  # fmt: skip


def _values() -> dict[str, Refused]:
    acme = 'organization(by: {slug: "acme"})'

    def filtered(filter_: str) -> str:
        return f"{{ {acme} {{ connections(filter: {filter_}) {{ totalCount }} }} }}"

    return {
        "an Int of 30,000 digits": ((VALID, INPUT, PARSE), f"{{ {acme} {{ connections(first: {'9' * 30_000}) {{ totalCount }} }} }}"),
        "a Float of 30,000 digits": ((VALID, PARSE), f"{{ {acme} {{ connections(first: 1.{'9' * 30_000}) {{ totalCount }} }} }}"),
        "an exponent of 10,000 digits": ((VALID, PARSE), f"{{ {acme} {{ connections(first: 1e{'9' * 10_000}) {{ totalCount }} }} }}"),
        "a JSON Int of 30,000 digits": ((VALID, INPUT, PARSE), filtered("{labels: {a: " + "9" * 30_000 + "}}")),
        "1,500 values of an enum": ((VALID, INPUT, PARSE, "answered"), filtered("{status: [" + "ACTIVE " * 1_500 + "]}")),
        "1,500 unknown values of an enum": ((VALID,), filtered("{status: [" + " ".join(f"ACTIV{n}" for n in range(1_500)) + "]}")),
        "1,500 values that are no enum's": ((VALID,), filtered("{status: [" + "1 " * 1_500 + "]}")),
        "1,500 texts": ((VALID, INPUT, "answered"), filtered("{service: [" + '"github" ' * 1_500 + "]}")),
        "1,500 ids": ((INPUT, VALID), "{ nodes(ids: [" + '"conn_x" ' * 1_500 + "]) { id } }"),
        "1,500 nulls": ((VALID,), "{ nodes(ids: [" + "null " * 1_500 + "]) { id } }"),
        "a text of 32,000 characters": ((), '{ node(id: "' + "x" * 32_000 + '") { id } }'),
        "a block string of 10,000 lines": ((), '{ node(id: """' + "\n  x" * 8_000 + '""") { id } }'),
        "a block string of 15,000 lines of blanks": ((), '{ node(id: """' + " \n" * 15_000 + '""") { id } }'),
        "3,000 escapes": ((), '{ node(id: "' + "\\u{1F600}" * 3_000 + '") { id } }'),
        "escapes that are no characters": ((PARSE,), '{ node(id: "' + "\\u0041" * 3_000 + '\\uDEAD") { id } }'),
        "a text without an end": ((PARSE,), '{ node(id: "' + "x" * 32_000),
        "a block string without an end": ((PARSE,), '{ node(id: """' + "\n" * 32_000),
        "a date of 30,000 characters": ((VALID, INPUT), filtered('{expiringBefore: "' + "2026-01-01T" * 2_700 + '"}')),
        "a cursor of 30,000 characters": ((INPUT,), f'{{ {acme} {{ connections(after: "{"~x" * 15_000}") {{ totalCount }} }} }}'),
        "a page of a negative size": ((INPUT,), f"{{ {acme} {{ connections(first: -2147483648) {{ totalCount }} }} }}"),
        "a page of 2 billion": ((INPUT, COST), f"{{ {acme} {{ connections(first: 2147483647) {{ nodes {{ id }} }} }} }}"),
    }  # fmt: skip


def _texts() -> dict[str, Refused]:
    return {
        "30,000 commas": ((), "{ viewer { user { id" + "," * 30_000 + " } } }"),
        "10,000 marks of byte order": ((), "{ viewer { user { id" + "\ufeff" * 10_000 + " } } }"),
        "10,000 comments": ((PARSE,), "{ viewer { user { id } } }" + "#\n" * 15_000),
        "a comment of 32,000 characters": ((), "{ viewer { user { id } } } #" + "x" * 32_000),
        "32,000 blanks": ((), " " * 32_000 + "{ viewer { user { id } } }"),
        "30,000 tokens without a sense": ((PARSE,), "!" * 30_000),
        "1,999 tokens without a sense": ((PARSE,), "{" + "$" * 1_900),
        "16,000 names": ((PARSE,), "{ " + "a " * 15_000 + "}"),
        "16,000 opening braces": ((PARSE,), "{" * 30_000),
        "1,500 spreads of nothing": ((PARSE,), "{ " + "..." * 1_500),
        "characters that GraphQL doesn't know": ((PARSE,), "{ viewer { " + "\u00e9\U0001f600" * 10_000 + " } }"),
        "control characters": ((PARSE,), "{ viewer { \x00\x07\x1b } }"),
        "a name of 32,000 characters": ((VALID,), "{ " + "a" * 32_000 + " }"),
        "an operation's name of 32,000 characters": ((), "query " + "a" * 32_000 + " { __typename }"),
        "a schema": ((INPUT, VALID), "type Query { a: Int } " * 150),
        "extensions of the schema": ((INPUT, VALID), "extend type Query { a: Int } " * 150),
        "a schema beside an operation": ((VALID,), "{ viewer { user { id } } } scalar X"),
        "nothing": ((INPUT, PARSE), " "),
        "comments alone": ((PARSE,), "#"),
    }  # fmt: skip
