// Tether by urql: queries and mutations by POST, subscriptions by graphql-ws.
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from '@urql/core'

import { connect } from '../graphql-ws/client.js'

export function createClient(url, token, options) {
  const socket = connect(url.replace(/^http/, 'ws'), () => token)
  return new Client({
    url,
    preferGetMethod: false, // urql asks by GET unless it is told not to
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
    ...options,
  })
}
