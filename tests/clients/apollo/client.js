// Tether by Apollo Client: queries and mutations by POST, subscriptions by graphql-ws.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { relayStylePagination } from '@apollo/client/utilities'
import { OperationTypeNode } from 'graphql'

import { connect } from '../graphql-ws/client.js'

export function createClient(url, token) {
  const http = new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}` } })
  const socket = new GraphQLWsLink(connect(url.replace(/^http/, 'ws'), () => token))
  return new ApolloClient({
    link: ApolloLink.split(({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION, socket, http),
    cache: createCache(),
  })
}

/** Where WebSockets can't be had: HttpLink follows subscriptions by itself. */
export function createHttpClient(url, token) {
  return new ApolloClient({ link: new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}` } }), cache: createCache() })
}

/** Sends the hash of an operation's text, and the text only where Tether doesn't know it yet. */
export function createPersistedLink(url, token) {
  const http = new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}` } })
  return ApolloLink.from([new PersistedQueryLink({ sha256 }), http])
}

async function sha256(text) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Ids are unique whatever their type; lists are pages of Relay's; what has no id is merged into what it belongs to. */
export function createCache() {
  return new InMemoryCache({
    possibleTypes,
    typePolicies: {
      Viewer: { merge: true, fields: { memberships: relayStylePagination() } },
      Organization: {
        fields: {
          connections: relayStylePagination(['filter', 'orderBy']),
          expiringCredentials: relayStylePagination(['within']),
          repositories: relayStylePagination(['filter']),
          members: relayStylePagination(),
          invitations: relayStylePagination(),
          apiKeys: relayStylePagination(['usable']),
          events: relayStylePagination(['filter']),
          commandRuns: relayStylePagination(['filter']),
          auditLog: relayStylePagination(['filter']),
        },
      },
      ServiceConnection: {
        fields: {
          repositories: relayStylePagination(['filter']),
          events: relayStylePagination(['filter']),
          commandRuns: relayStylePagination(),
        },
      },
      ExternalAccount: { keyFields: false }, // its id is the service's, which another service may have, too
      ConnectionHealth: { merge: true, fields: { checks: relayStylePagination(['since']) } },
      ConnectionSummary: { merge: true },
    },
  })
}

const possibleTypes = {
  Node: [
    'ApiKey',
    'AuditRecord',
    'CommandRun',
    'ConnectionEvent',
    'HealthCheck',
    'Invitation',
    'Organization',
    'Repository',
    'ServiceConnection',
    'ServiceCredential',
    'User',
  ],
  UserError: [
    'AccountMismatch',
    'CommandFailure',
    'InvalidInput',
    'InvalidTransition',
    'NotFound',
    'ServiceFailure',
    'VersionConflict',
  ],
}

/** Takes a deleted connection out of every list that shows it. */
export function forget(cache, deletedConnectionId) {
  cache.evict({ id: cache.identify({ __typename: 'ServiceConnection', id: deletedConnectionId }) })
  cache.gc()
}
