// The events of the signed-in person's organization, as they come. Shown by live-events.jsx.

import { socketProblem } from "./fetcher.js";

const EVENTS = `subscription LiveEvents($organizationId: ID!, $after: String) {
  connectionEvents(organizationId: $organizationId, after: $after) {
    cursor
    sequence
    type
    occurredAt
    connection { name }
    health { status message }
  }
}`;
const MOST = 200;

export class EventLog {
  #socket;
  #listeners = new Set();
  #unsubscribe = null;

  /** `organization` is null where nobody is signed in, or one without an organization. */
  constructor(socket, organization) {
    this.#socket = socket;
    this.organization = organization;
    /** { events, newest first; problem: why there are no more, or null }: another object after each change. */
    this.state = { events: [], problem: null };
  }

  /** Calls back after each change, until the function that it returns is called. Follows from the first time on. */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    if (this.#unsubscribe === null && this.organization !== null) this.#follow();
    return () => this.#listeners.delete(listener);
  };

  close() {
    this.#unsubscribe?.();
  }

  #follow() {
    const variables = { organizationId: this.organization.id, after: null };
    this.#unsubscribe = this.#socket.subscribe(
      { query: EVENTS, variables },
      {
        next: ({ data, errors }) => {
          if (errors) return this.#change({ problem: socketProblem(errors) });
          const event = data.connectionEvents;
          variables.after = event.cursor; // a socket that is opened again goes on from there
          this.#change({ events: [event, ...this.state.events].slice(0, MOST) });
        },
        error: (failure) => this.#change({ problem: socketProblem(failure) }),
        complete: () => {},
      },
    );
  }

  #change(change) {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
