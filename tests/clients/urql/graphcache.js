// urql with its normalized cache: use it in place of cacheExchange.
import { cacheExchange } from '@urql/exchange-graphcache'
import { relayPagination } from '@urql/exchange-graphcache/extras'

export const graphcache = () =>
  cacheExchange({
    keys: {
      ConnectionHealth: () => null, // what has no id is part of what it belongs to
      ConnectionSummary: () => null,
      ExternalAccount: () => null, // its id is the service's, which another service may have, too
      StatusReason: () => null,
      Viewer: () => null,
    },
    resolvers: { Organization: { connections: relayPagination() } },
    updates: {
      Mutation: {
        deleteConnection({ deleteConnection: { deletedConnectionId: id } }, _, cache) {
          if (id) cache.invalidate({ __typename: 'ServiceConnection', id })
        },
      },
    },
  })
