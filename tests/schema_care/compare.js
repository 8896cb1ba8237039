// Tells how two schemas differ, as JSON: [{level, path, message}]. Standard input: {"before", "after", "today"}.
// What is deprecated, with a date that has passed, may be gone: it is left out of both.
// Run by release_comparison.py.
import { readFileSync } from "node:fs";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildASTSchema, Kind, parse, visit } from "graphql";

const { before, after, today } = JSON.parse(readFileSync(0, "utf-8"));

const [was, is] = [before, after].map((text) => buildASTSchema(withoutWhatMayGo(parse(text))));
const changes = await diff(was, is);
const LEVELS = {
  [CriticalityLevel.Breaking]: "breaking",
  [CriticalityLevel.Dangerous]: "dangerous",
  [CriticalityLevel.NonBreaking]: "safe",
};
const told = changes.map(({ criticality, path, message }) => ({ level: LEVELS[criticality.level], path, message }));
process.stdout.write(JSON.stringify(told));

function withoutWhatMayGo(document) {
  const mayGo = (node) => (hasPassed(node) ? null : undefined);
  return withoutLoneTypes(
    visit(document, { FieldDefinition: mayGo, InputValueDefinition: mayGo, EnumValueDefinition: mayGo }),
  );
}

function hasPassed(node) {
  const deprecated = node.directives?.find((one) => one.name.value === "deprecated");
  const reason = deprecated?.arguments.find((one) => one.name.value === "reason")?.value.value ?? "";
  const date = /\bGoes on (\d{4}-\d{2}-\d{2})\./.exec(reason)?.[1];
  return date !== undefined && date <= today;
}

// Types that nothing leads to any more go with what led to them.
function withoutLoneTypes(document) {
  const types = new Map();
  for (const one of document.definitions)
    if (one.name && one.kind !== Kind.DIRECTIVE_DEFINITION) types.set(one.name.value, one);
  const reached = new Set();
  const reach = (name) => {
    if (reached.has(name) || !types.has(name)) return;
    reached.add(name);
    visit(types.get(name), { NamedType: (node) => reach(node.name.value) });
    for (const other of types.values())
      if (other.interfaces?.some((one) => one.name.value === name)) reach(other.name.value);
  };
  for (const root of ["Query", "Mutation", "Subscription"]) reach(root);
  const stays = (one) => !types.has(one.name?.value) || reached.has(one.name.value);
  return { ...document, definitions: document.definitions.filter(stays) };
}
