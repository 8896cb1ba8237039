// Tether by urql: queries and mutations by POST, subscriptions by graphql-ws.
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from '@urql/core'
import { createClient as createSocketClient } from 'graphql-ws'

export function createClient(url, token, options) {
  const authorization = `Bearer ${token}`
  const socket = createSocketClient({ url: url.replace(/^http/, 'ws'), connectionParams: { authorization }, shouldRetry: () => true })
  return new Client({
    url,
    preferGetMethod: false, // urql asks by GET unless it is told not to
    fetchOptions: { headers: { authorization } },
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
