// Who asks: the person who is signed in in this browser, by a cookie that no script can read, or whoever has an API key,
// which stays in this page's memory and nowhere else. Used by both entries, main.js and cdn.js.

// Shows the server that it is no form of another site that asks with the cookie.
const CSRF = { "X-Tether-CSRF": "1" };

const WHO = `query Who {
  viewer {
    user { name email }
    memberships(first: 1) {
      nodes { role organization { id slug connections(first: 1) { nodes { id } } } }
    }
  }
}`;

export class Session {
  #key = null;
  #listeners = new Set();

  /** { name, role, organization: { id, slug, connectionId } | null }; null: nobody is signed in. */
  person = null;

  /** Why it couldn't be found out who is signed in, as where too much was asked in a short time; null: it could be. */
  problem = null;

  /** What a request says about who asks. */
  headers() {
    return this.#key === null ? CSRF : { ...CSRF, Authorization: `Bearer ${this.#key}` };
  }

  /** The same for a WebSocket's `connection_init`. */
  connectionParams() {
    return this.#key === null ? {} : { authorization: `Bearer ${this.#key}` };
  }

  /** Calls back whenever another person, or nobody, is signed in. */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /** Become whoever the cookie stands for, if anybody. */
  async resume() {
    const answer = await this.#ask({});
    const [error] = answer.data ? [] : answer.errors;
    this.problem = error && error.extensions.code !== "UNAUTHENTICATED" ? error.message : null;
    this.#become(answer.data ? personOf(answer.data.viewer) : null, null);
  }

  /** Throws an Error that says why, where the key isn't good. */
  async signInWithKey(key) {
    const answer = await this.#ask({ Authorization: `Bearer ${key}` });
    if (!answer.data) throw new Error(answer.errors[0].message);
    this.#become(personOf(answer.data.viewer), key);
  }

  /** In this browser: the server ends the session, and the key is forgotten. */
  async signOut({ signOut }) {
    const response = await fetch(signOut, { method: "POST", headers: CSRF });
    if (!response.ok) throw new Error((await response.json()).errors[0].message);
    this.#become(null, null);
  }

  async #ask(headers) {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...CSRF, ...headers },
      body: JSON.stringify({ query: WHO }),
    });
    return response.json();
  }

  #become(person, key) {
    this.person = person;
    this.#key = key;
    for (const listener of this.#listeners) listener();
  }
}

function personOf(viewer) {
  const [membership] = viewer.memberships.nodes;
  return {
    name: viewer.user?.name ?? "an API key",
    role: membership?.role ?? null,
    organization: membership && {
      id: membership.organization.id,
      slug: membership.organization.slug,
      connectionId: membership.organization.connections.nodes[0]?.id ?? "",
    },
  };
}
