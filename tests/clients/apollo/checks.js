// Apollo Client against Tether: its normalized cache, pages, errors and subscriptions.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'

import { ApolloClient, CombinedGraphQLErrors, gql } from '@apollo/client'
import { buildSchema, getNamedType, isInterfaceType, isObjectType } from 'graphql'

import { Told } from '../tether.js'
import { createCache, createClient, createHttpClient, createPersistedLink, forget } from './client.js'
import { CONNECTION, CONNECTIONS, COSTLY, DELETE, EVENTS, UPDATE } from './operations.js'

export const checks = {
  async 'a query is answered, and the second time by the cache'(tether) {
    const [client, id] = [createClient(tether.url, tether.token), await tether.connect('Cached')]
    const { data } = await client.query({ query: CONNECTION, variables: { id } })
    assert.equal(data.node.name, 'Cached')
    await tether.rename(id, 'Renamed behind its back')
    const again = await client.query({ query: CONNECTION, variables: { id } })
    assert.equal(again.data.node.name, 'Cached')
    const fresh = await client.query({ query: CONNECTION, variables: { id }, fetchPolicy: 'network-only' })
    assert.equal(fresh.data.node.name, 'Renamed behind its back')
  },

  async 'the types behind interfaces, and the lists that come in pages, are those of the schema'() {
    const schema = buildSchema(await readFile(new URL('../../../schema.graphql', import.meta.url), 'utf8'))
    const types = Object.values(schema.getTypeMap())
    const { possibleTypes, typePolicies } = createCache().config

    const interfaces = types.filter(isInterfaceType)
    const namesBehind = (type) => schema.getPossibleTypes(type).map(({ name }) => name).sort()
    assert.deepEqual(possibleTypes, Object.fromEntries(interfaces.map((type) => [type.name, namesBehind(type)])))

    const lists = types.filter(isObjectType).flatMap((type) =>
      Object.values(type.getFields())
        .filter(isPage)
        .map(({ name, args }) => [type.name, name, args.map((each) => each.name).filter((each) => !PAGING.includes(each))]),
    )
    const kept = Object.entries(typePolicies).flatMap(([type, { fields = {} }]) =>
      Object.entries(fields).map(([name, { keyArgs }]) => [type, name, keyArgs || []]),
    )
    assert.deepEqual(kept.sort(), lists.sort())
  },

  async 'fragments on an interface match what is in the cache'(tether) {
    const [client, id] = [createClient(tether.url, tether.token), await tether.connect('Any node')]
    const query = gql`
      query AnyNode($id: ID!) {
        node(id: $id) {
          ...Identity
        }
      }
      fragment Identity on Node {
        id
      }
    `
    const { data } = await client.query({ query, variables: { id } })
    assert.deepEqual(data.node, { __typename: 'ServiceConnection', id })
  },

  async 'a mutation changes by its id what a query has shown'(tether) {
    const [client, id] = [createClient(tether.url, tether.token), await tether.connect('Watched')]
    const names = new Told()
    const watching = client.watchQuery({ query: CONNECTION, variables: { id } }).subscribe(({ data, loading }) => {
      if (!loading) names.add(data.node.name)
    })
    await names.first((name) => name === 'Watched')
    await client.mutate({ mutation: UPDATE, variables: { input: { connectionId: id, name: 'Changed' } } })
    await names.first((name) => name === 'Changed')
    watching.unsubscribe()
  },

  async 'a deleted connection is evicted by the id of the payload, and its edge goes'(tether) {
    const [client, id] = [createClient(tether.url, tether.token), await tether.connect('Doomed')]
    const variables = { id: tether.organizationId, first: 10, search: 'Doomed' }
    await client.query({ query: CONNECTIONS, variables })
    await client.mutate({
      mutation: DELETE,
      variables: { input: { connectionId: id } },
      update: (cache, { data }) => forget(cache, data.deleteConnection.deletedConnectionId),
    })
    const { organization } = client.readQuery({ query: CONNECTIONS, variables })
    assert.deepEqual(organization.connections.edges, [])
  },

  async 'pages are put together, each filter for itself'(tether) {
    for (const number of [1, 2, 3]) await tether.connect(`Page ${number}`)
    const client = createClient(tether.url, tether.token)
    const query = client.watchQuery({
      query: CONNECTIONS,
      variables: { id: tether.organizationId, first: 2, search: 'Page' },
    })
    const pages = new Told()
    const watching = query.subscribe(({ data, loading }) => {
      if (!loading) pages.add(data.organization.connections)
    })
    const { pageInfo } = await pages.first(() => true)
    assert.equal(pageInfo.hasNextPage, true)

    await query.fetchMore({ variables: { after: pageInfo.endCursor } })

    const both = await pages.first(({ edges }) => edges.length === 3)
    assert.deepEqual(both.edges.map(({ node }) => node.name), ['Page 1', 'Page 2', 'Page 3'])
    assert.equal(both.pageInfo.hasNextPage, false)
    watching.unsubscribe()
    const variables = { id: tether.organizationId, first: 2, search: 'Page 2' }
    const { data } = await client.query({ query: CONNECTIONS, variables })
    assert.deepEqual(data.organization.connections.edges.map(({ node }) => node.name), ['Page 2'])
  },

  async 'accounts of the same id at two services are two'(tether) {
    await tether.connectNamesakes()
    const query = gql`
      query Accounts($id: ID!) {
        organization(by: { id: $id }) {
          id
          connections(filter: { search: "Namesake" }, orderBy: { field: NAME, direction: ASC }) {
            nodes {
              id
              externalAccount {
                id
                name
              }
            }
          }
        }
      }
    `
    const { data } = await createClient(tether.url, tether.token).query({ query, variables: { id: tether.organizationId } })
    const accounts = data.organization.connections.nodes.map(({ externalAccount: { id, name } }) => [id, name])
    assert.deepEqual(accounts, [['77', 'github-77'], ['77', 'gitlab-77']])
  },

  async 'what the caller can mend is data'(tether) {
    const [client, connectionId] = [createClient(tether.url, tether.token), await tether.connect('Contended')]
    const { data } = await client.mutate({ mutation: UPDATE, variables: { input: { connectionId, name: 'Late', expectedVersion: 9 } } })
    const [{ __typename, code, currentVersion }] = data.updateConnection.userErrors
    assert.deepEqual([__typename, code, currentVersion], ['VersionConflict', 'VERSION_CONFLICT', 1])
  },

  async 'what is refused is CombinedGraphQLErrors, with a code'(tether) {
    const wrong = gql`
      query Wrong {
        viewer {
          password
        }
      }
    `
    const viewer = gql`
      query Me {
        viewer {
          user {
            id
            name
          }
        }
      }
    `
    assert.equal(await refusal(createClient(tether.url, tether.token), wrong), 'GRAPHQL_VALIDATION_FAILED')
    assert.equal(await refusal(createClient(tether.url, tether.token), COSTLY), 'COST_LIMIT_EXCEEDED')
    assert.equal(await refusal(createClient(tether.url, 'tether_wrong'), viewer), 'UNAUTHENTICATED')
  },

  async 'a part that fails leaves the others, where that is wanted'(tether) {
    const query = gql`
      query Log($id: ID!) {
        organization(by: { id: $id }) {
          id
          slug
          auditLog {
            totalCount
          }
        }
      }
    `
    const client = createClient(tether.url, tether.viewerToken)
    const { data, error } = await client.query({ query, variables: { id: tether.organizationId }, errorPolicy: 'all' })
    assert.deepEqual([data.organization.slug, data.organization.auditLog], [tether.slug, null])
    assert.deepEqual(error.errors.map(({ path, extensions }) => [path, extensions.code]), [
      [['organization', 'auditLog'], 'FORBIDDEN'],
    ])
  },

  async 'a persisted query is sent by its hash, and with its text only where that is not known yet'(tether) {
    const query = gql`
      query Persisted {
        viewer {
          memberships {
            totalCount
          }
        }
      }
    `
    const requests = await watchingFetch(async () => {
      for (const cache of [createCache(), createCache()]) {
        const client = new ApolloClient({ link: createPersistedLink(tether.url, tether.token), cache })
        const { data } = await client.query({ query })
        assert.equal(data.viewer.memberships.totalCount, 1)
      }
    })
    const parts = requests.map(({ sent: { query: text, extensions } }) => [typeof text, extensions.persistedQuery.sha256Hash.length])
    assert.deepEqual(parts, [['undefined', 64], ['string', 64], ['undefined', 64]])
  },

  async 'a subscription over a WebSocket tells of what happens, and keeps the cache true'(tether) {
    await followed(tether, createClient(tether.url, tether.token), 'Over a WebSocket')
  },

  async 'a subscription over HTTP does the same, part by part'(tether) {
    const requests = await watchingFetch(() => followed(tether, createHttpClient(tether.url, tether.token), 'Over HTTP'))
    const { type } = requests.find(({ sent }) => sent.operationName === 'Events')
    assert.match(type, /^multipart\/mixed; ?boundary="?graphql"?; ?subscriptionSpec="?1\.0"?/)
  },

  async 'a subscription over HTTP that is refused says so, with a code'(tether) {
    const client = createHttpClient(tether.url, 'tether_wrong')
    const told = new Told()
    client
      .subscribe({ query: EVENTS, variables: { organizationId: tether.organizationId } })
      .subscribe({ next: ({ error }) => told.fail(error), error: (error) => told.fail(error) })
    const error = await told.failure()
    assert.ok(CombinedGraphQLErrors.is(error), error)
    assert.equal(error.errors[0].extensions.code, 'UNAUTHENTICATED')
  },
}

const PAGING = ['first', 'after', 'last', 'before']

function isPage({ type }) {
  return 'pageInfo' in (getNamedType(type).getFields?.() ?? {})
}

/** What is posted meanwhile, and of which type the answers are. */
async function watchingFetch(act) {
  const [requests, platform] = [[], globalThis.fetch]
  globalThis.fetch = async (url, options) => {
    const response = await platform(url, options)
    requests.push({ sent: JSON.parse(options.body), type: response.headers.get('content-type') })
    return response
  }
  try {
    await act()
  } finally {
    globalThis.fetch = platform
  }
  return requests
}

/** Apollo's error has a code of Tether's. */
async function refusal(client, query) {
  const error = await client.query({ query }).then(assert.fail, (thrown) => thrown)
  assert.ok(CombinedGraphQLErrors.is(error), error)
  return error.errors[0].extensions.code
}

/** By a subscription a client sees an event, and the cache what the event says of its connection. */
async function followed(tether, client, name) {
  const id = await tether.connect(name)
  const after = await tether.head()
  await client.query({ query: CONNECTION, variables: { id } })
  const events = new Told()
  const following = client
    .subscribe({ query: EVENTS, variables: { organizationId: tether.organizationId, after } })
    .subscribe({ next: ({ data, error }) => (error ? events.fail(error) : events.add(data.connectionEvents)), error: (error) => events.fail(error) })
  await tether.rename(id, `${name}, renamed`)
  const event = await events.first(() => true)
  assert.deepEqual([event.type, event.connection.name], ['UPDATED', `${name}, renamed`])
  assert.equal(client.readQuery({ query: CONNECTION, variables: { id } }).node.name, `${name}, renamed`)
  following.unsubscribe()
}
