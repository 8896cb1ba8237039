// Tether's subscriptions by graphql-ws: how to connect, and how to follow a feed without missing anything.
import { createClient } from 'graphql-ws'

/** `token` is called for each new socket, so that it may be another one by then. */
export function connect(url, token, options) {
  return createClient({
    url, // ws://127.0.0.1:8000/graphql
    connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
    shouldRetry: (problem) => !(problem instanceof Error), // Node.js tells a lost socket by an event of its own
    ...options,
  })
}

const EVENTS = `subscription Events($organizationId: ID!, $after: String) {
  connectionEvents(organizationId: $organizationId, after: $after) {
    cursor
    type
    connection { id name status }
  }
}`

/** Whenever the socket is lost, the client asks again with the same `variables`: they say where it stopped. */
export function follow(client, organizationId, after, sink) {
  const variables = { organizationId, after }
  return client.subscribe({ query: EVENTS, variables }, {
    ...sink,
    next({ data, errors }) {
      if (errors) return sink.error(errors)
      variables.after = data.connectionEvents.cursor
      sink.next(data.connectionEvents)
    },
  })
}
