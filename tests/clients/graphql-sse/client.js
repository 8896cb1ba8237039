// Tether by graphql-sse, where WebSockets can't be had: each operation is an event stream of its own, by POST.
import { createClient } from 'graphql-sse'

/** `token` is called for each stream, so that it may be another one by then. */
export function connect(url, token, options) {
  return createClient({
    url, // http://127.0.0.1:8000/graphql
    headers: async () => ({ authorization: `Bearer ${await token()}` }),
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

/** Whenever the stream is lost, the client asks again with the same `variables`: they say where it stopped. */
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
