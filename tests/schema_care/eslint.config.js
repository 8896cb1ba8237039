// How schema.graphql and the examples in GraphiQL are linted, by `python -m tests.schema_care`. The schema and the
// operations' places are those of .graphqlrc.yml. A rule that is off says why.
import graphql from "@graphql-eslint/eslint-plugin";

const rules = graphql.configs;

// A connection to a service is called ServiceConnection, which isn't a page: the rules about pages pass it over.
const ENTITY = "ServiceConnection";
const passingOver = (rule) => ({
  ...rule,
  create: (context) =>
    Object.fromEntries(
      Object.entries(rule.create(context)).map(([selector, look]) => [
        selector,
        (node) => (node.value ?? node.name?.value) === ENTITY || look(node),
      ]),
    ),
});

const plugin = {
  ...graphql,
  rules: {
    ...graphql.rules,
    "relay-arguments": passingOver(graphql.rules["relay-arguments"]),
    "relay-connection-types": passingOver(graphql.rules["relay-connection-types"]),
  },
};

// Types that have no identity of their own: parts of another object, and counts.
const VALUES = [
  "AccountMismatch",
  "Actor",
  "AvailabilityReason",
  "CommandAvailability",
  "CommandFailure",
  "CommandRunError",
  "CommandRunnerUp",
  "CommandSelection",
  "CommandTarget",
  "ConnectionAvailability",
  "ConnectionHealth",
  "ConnectionImpact",
  "ConnectionSummary",
  "ExternalAccount",
  "HealthCount",
  "HealthProbe",
  "HealthSeriesPoint",
  "InvalidInput",
  "InvalidTransition",
  "LatencyPercentiles",
  "Membership", // known by its organization and its user
  "NotFound",
  "PageInfo",
  "RateLimit",
  "RefusedCommand",
  "ServiceCount",
  "ServiceFailure",
  "ServiceIncident",
  "ServiceRateLimit",
  "ServiceScope",
  "StandardizedEvent", // known by its eventId, which is that of the event that it is a part of
  "StatusChange",
  "StatusCount",
  "StatusReason",
  "VersionConflict",
  "Viewer",
];

export default [
  { files: ["**/*.graphql"], languageOptions: { parser: graphql.parser }, plugins: { "@graphql-eslint": plugin } },
  {
    files: ["**/schema.graphql"],
    rules: {
      ...rules["flat/schema-all"].rules,
      ...rules["flat/schema-relay"].rules,
      "@graphql-eslint/require-description": [
        "error",
        // Not of directives: the only definition of one is that of @oneOf, for tools that don't know it yet.
        { types: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true },
      ],
      "@graphql-eslint/input-name": ["error", { checkInputType: true, caseSensitiveInputType: false }],
      "@graphql-eslint/relay-edge-types": [
        "error",
        // Pages have their `nodes`, too, and there are plain lists. Memberships are listed, and are no Node.
        { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false },
      ],
      "@graphql-eslint/strict-id-in-types": [
        "error",
        { exceptions: { types: VALUES, suffixes: ["Payload", "Edge", "Connection"] } },
      ],
      // Fields stand in the order in which they are best read.
      "@graphql-eslint/alphabetize": "off",
      // There are mutations and subscriptions.
      "@graphql-eslint/no-root-type": "off",
      // It asks for an argument of @deprecated that the specification doesn't have: reasons hold the date here,
      // which test_deprecations.py reads.
      "@graphql-eslint/require-deprecation-date": "off",
      // A payload holds what has changed. An operation that needs more asks for it after the mutation.
      "@graphql-eslint/require-field-of-type-query-in-mutation-result": "off",
      // A payload is never null: what the caller can mend stands in its `userErrors`. So are `viewer` and `services`.
      "@graphql-eslint/require-nullable-result-in-root": "off",
      // @oneOf is for inputs here; the rule is about outputs that are a result or an error.
      "@graphql-eslint/require-type-pattern-with-oneof": "off",
    },
  },
  {
    files: ["**/examples/*.graphql"],
    rules: {
      ...rules["flat/operations-recommended"].rules,
      // Payloads and pages are read once; who keeps a cache asks for ids.
      "@graphql-eslint/require-selections": "off",
    },
  },
];
