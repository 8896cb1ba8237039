// GraphiQL itself, made anew for each person, so that nobody sees what another one asked. Used by both entries.

import { createFetcher, openSocket } from "./fetcher.js";
import { openDialog, pageData, setUpPage } from "./page.js";
import { Session } from "./session.js";
import { theme } from "./theme.js";

// How much room the panel on the left and the query have, each beside what is right of it.
const WIDTHS = { "graphiql:docExplorerFlex": "0.24", "graphiql:editorFlex": "1.35" };

/**
 * Shows it once it is known who is signed in. `library`: { createElement, createRoot, createClient, GraphiQL, parse },
 * the last of which may be missing; `pluginsFor(socket, person)` gives more properties of GraphiQL for one person.
 */
export async function showGraphiQL(library, pluginsFor = () => ({})) {
  const data = pageData();
  const session = new Session();
  const root = library.createRoot(document.getElementById("graphiql"));
  let socket = null;
  let properties = null;

  const render = () => {
    if (properties !== null) {
      root.render(library.createElement(library.GraphiQL, { ...properties, forcedTheme: theme.resolved }));
    }
  };
  const begin = () => {
    socket?.dispose();
    socket = openSocket(library.createClient, session);
    properties = {
      key: crypto.randomUUID(),
      fetcher: createFetcher(session, socket, library.parse),
      schema: session.person === null && !data.strangersMayIntrospect ? null : undefined,
      defaultTabs: examplesFor(session.person, data.examples),
      storage: new Memory(WIDTHS),
      isHeadersEditorEnabled: false,
      showPersistHeadersSettings: false,
      defaultEditorToolsVisibility: "variables",
      inputValueDeprecation: true,
      schemaDescription: true,
      ...pluginsFor(socket, session.person),
    };
    render();
  };

  setUpPage(session, data);
  theme.subscribe(render);
  session.subscribe(begin);
  await session.resume();
  if (session.person === null) openDialog(session.problem);
}

/** The examples as tabs, with this person's own organization in them. */
function examplesFor(person, examples) {
  const organization = person?.organization;
  const values = { organizationId: organization?.id ?? "", connectionId: organization?.connectionId ?? "" };
  return examples.map((query) => {
    const names = Object.keys(values).filter((name) => query.includes(`$${name}:`));
    return {
      query: query.replace('"acme"', JSON.stringify(organization?.slug ?? "acme")),
      variables: names.length ? JSON.stringify(values, names, 2) : null,
    };
  });
}

/** A Storage that ends with the page: what is typed may hold secrets. */
class Memory {
  #items;

  constructor(items) {
    this.#items = new Map(Object.entries(items));
  }
  get length() {
    return this.#items.size;
  }
  getItem(key) {
    return this.#items.get(key) ?? null;
  }
  setItem(key, value) {
    this.#items.set(key, value);
  }
  removeItem(key) {
    this.#items.delete(key);
  }
  clear() {
    this.#items.clear();
  }
}
