// Who asks: the person of the development cookie, or of an API key, which stays in this page's memory and nowhere else.
// Used by both entries, main.js and cdn.js.

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

  /** What a request says about who asks. */
  headers() {
    return this.#key === null ? {} : { Authorization: `Bearer ${this.#key}` };
  }

  /** The same for a WebSocket's `connection_init`. */
  connectionParams() {
    return this.#key === null ? {} : { authorization: `Bearer ${this.#key}` };
  }

  /** Calls back whenever another person, or nobody, is signed in. */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /** Sign in whoever the cookie stands for, if anybody. */
  async resume() {
    const answer = await this.#ask({});
    this.#become(answer.data ? personOf(answer.data.viewer) : null, null);
  }

  /** Throws an Error that says why, where the key isn't good. */
  async signInWithKey(key) {
    const answer = await this.#ask({ Authorization: `Bearer ${key}` });
    if (!answer.data) throw new Error(answer.errors[0].message);
    this.#become(personOf(answer.data.viewer), key);
  }

  /** By the cookie, which only a server in development gives. */
  async signInForDevelopment() {
    await this.#changeCookie("PUT");
    await this.resume();
    if (this.person === null) throw new Error("The development key isn't good any more. Restart the server.");
  }

  async signOut({ developmentSignIn }) {
    if (developmentSignIn) await this.#changeCookie("DELETE");
    this.#become(null, null);
  }

  async #ask(headers) {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ query: WHO }),
    });
    return response.json();
  }

  async #changeCookie(method) {
    const response = await fetch("/graphql/session", { method });
    if (!response.ok) throw new Error((await response.json()).errors[0].message);
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
