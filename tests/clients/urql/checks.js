// urql against Tether: with the Accept header that it sends by itself, which names event streams and parts, too.
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import { cacheExchange, fetchExchange, gql } from '@urql/core'
import { persistedExchange } from '@urql/exchange-persisted'

import { Told } from '../tether.js'
import { createClient } from './client.js'
import { graphcache } from './graphcache.js'

// urql leaves it to nobody that the stream of a given-up subscription was broken off, by which Node.js would end.
process.on('unhandledRejection', (reason) => {
  if (reason.name !== 'AbortError') throw reason
})

const ORGANIZATION = gql`
  query Organization($id: ID!) {
    organization(by: { id: $id }) {
      id
      slug
      connections(first: 100) {
        nodes {
          id
          name
        }
      }
    }
  }
`
const UPDATE = gql`
  mutation Update($input: UpdateConnectionInput!) {
    updateConnection(input: $input) {
      connection {
        id
        name
      }
      userErrors {
        code
        field
        ... on VersionConflict {
          currentVersion
        }
      }
    }
  }
`
const LIST = gql`
  query List($id: ID!, $first: Int!, $after: String, $search: String) {
    organization(by: { id: $id }) {
      id
      connections(first: $first, after: $after, filter: { search: $search }, orderBy: { field: NAME, direction: ASC }) {
        edges {
          node {
            id
            name
            externalAccount {
              id
              name
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`
const DELETE = gql`
  mutation Delete($input: DeleteConnectionInput!) {
    deleteConnection(input: $input) {
      deletedConnectionId
      userErrors {
        code
      }
    }
  }
`
const EVENTS = gql`
  subscription Events($organizationId: ID!, $after: String) {
    connectionEvents(organizationId: $organizationId, after: $after) {
      type
      connection {
        id
        name
      }
    }
  }
`

export const checks = {
  async 'a query is answered with JSON, though an event stream would do, too'(tether) {
    const { client, answers } = listening(tether)
    const { data, error } = await client.query(ORGANIZATION, { id: tether.organizationId })
    assert.equal(error, undefined)
    assert.equal(data.organization.slug, tether.slug)
    assert.deepEqual(answers, [
      {
        accept: 'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
        type: 'application/graphql-response+json; charset=utf-8',
        status: 200,
      },
    ])
  },

  async 'a mutation makes the cached query ask again'(tether) {
    const id = await tether.connect('Cached')
    const { client, answers } = listening(tether)
    const seen = new Told()
    const { unsubscribe } = client.query(ORGANIZATION, { id: tether.organizationId }).subscribe(({ data, stale }) => {
      if (!stale) seen.add(data.organization.connections.nodes.find((each) => each.id === id).name)
    })
    await seen.first((name) => name === 'Cached')
    await client.query(ORGANIZATION, { id: tether.organizationId }) // from the cache
    assert.equal(answers.length, 1)

    const { data } = await client.mutation(UPDATE, { input: { connectionId: id, name: 'Changed' } })

    assert.deepEqual(data.updateConnection.connection, { __typename: 'ServiceConnection', id, name: 'Changed' })
    await seen.first((name) => name === 'Changed')
    unsubscribe()
  },

  async 'what the caller can mend is data'(tether) {
    const id = await tether.connect('Contended')
    const { data, error } = await createClient(tether.url, tether.token).mutation(UPDATE, {
      input: { connectionId: id, name: 'Too late', expectedVersion: 99 },
    })
    assert.equal(error, undefined)
    const [{ __typename, code, currentVersion }] = data.updateConnection.userErrors
    assert.deepEqual([__typename, code, currentVersion], ['VersionConflict', 'VERSION_CONFLICT', 1])
  },

  async 'a subscription tells of what happens'(tether) {
    const seen = new Told()
    const { unsubscribe } = createClient(tether.url, tether.token)
      .subscription(EVENTS, { organizationId: tether.organizationId, after: await tether.head() })
      .subscribe(({ data, error }) => (error ? seen.fail(error) : seen.add(data.connectionEvents)))
    const id = await tether.connect('Subscribed')
    const { connection } = await seen.first(({ type }) => type === 'CREATED')
    assert.deepEqual(connection, { id, name: 'Subscribed' })
    unsubscribe()
  },

  async 'a query that is none is told so, with status 400'(tether) {
    const { client, answers } = listening(tether)
    const { data, error } = await client.query('query Wrong { viewer { password } }', {})
    assert.equal(data, undefined)
    assert.equal(error.networkError, undefined)
    assert.match(error.message, /^\[GraphQL\] Cannot query field 'password' on type 'Viewer'\./)
    assert.equal(error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED')
    assert.equal(answers[0].status, 400)
  },

  async 'a wrong token is told so, with status 401'(tether) {
    const { client, answers } = listening({ url: tether.url, token: 'tether_wrong' })
    const { error } = await client.query('{ viewer { user { name } } }', {})
    assert.equal(error.graphQLErrors[0].extensions.code, 'UNAUTHENTICATED')
    assert.equal(answers[0].status, 401)
  },

  async 'a part that fails leaves the others'(tether) {
    const query = `query Log($id: ID!) { organization(by: { id: $id }) { slug auditLog { totalCount } } }`
    const client = createClient(tether.url, tether.viewerToken)
    const { data, error } = await client.query(query, { id: tether.organizationId })
    assert.deepEqual(data.organization, { __typename: 'Organization', slug: tether.slug, auditLog: null })
    assert.deepEqual(error.graphQLErrors.map(({ path, extensions }) => [path, extensions.code]), [
      [['organization', 'auditLog'], 'FORBIDDEN'],
    ])
  },

  async 'asked by GET, as urql does by default, Tether says what to do'(tether) {
    const client = createClient(tether.url, tether.token, { preferGetMethod: undefined })
    const { error } = await client.query('{ viewer { user { name } } }', {})
    assert.match(error.graphQLErrors[0].message, /POST/)
  },

  async 'a subscription by fetch tells of what happens, as an event stream'(tether) {
    const { client, answers } = listening(tether, { fetchSubscriptions: true, exchanges: [cacheExchange, fetchExchange] })
    const seen = new Told()
    const { unsubscribe } = client
      .subscription(EVENTS, { organizationId: tether.organizationId, after: await tether.head() })
      .subscribe(({ data, error }) => (error ? seen.fail(error) : seen.add(data.connectionEvents)))
    const id = await tether.connect('Streamed')
    const { connection } = await seen.first(({ type }) => type === 'CREATED')
    assert.deepEqual(connection, { id, name: 'Streamed' })
    assert.equal(answers[0].accept, 'text/event-stream, multipart/mixed')
    assert.match(answers[0].type, /^text\/event-stream/)
    unsubscribe()
  },

  async 'a persisted query is sent by its hash, and with its text only where that is not known yet'(tether) {
    const bodies = []
    for (const _ of [1, 2]) {
      const client = createClient(tether.url, tether.token, {
        exchanges: [persistedExchange({ preferGetForPersistedQueries: false }), fetchExchange],
        fetch(url, init) {
          bodies.push(JSON.parse(init.body))
          return fetch(url, init)
        },
      })
      const { data, error } = await client.query('query PersistedByUrql { viewer { memberships { totalCount } } }', {})
      assert.equal(error, undefined)
      assert.equal(data.viewer.memberships.totalCount, 1)
    }
    const parts = bodies.map(({ query, extensions }) => [typeof query, extensions.persistedQuery.sha256Hash.length])
    assert.deepEqual(parts, [['undefined', 64], ['string', 64], ['undefined', 64]])
  },

  async 'with Graphcache pages are put together, and a deleted connection leaves them'(tether) {
    const ids = []
    for (const number of [1, 2, 3]) ids.push(await tether.connect(`Page ${number}`))
    const { client, variables, shown } = normalizing(tether, 'Page')
    const { pageInfo } = await shown.first(({ edges }) => edges.length === 2)

    await client.query(LIST, { ...variables, after: pageInfo.endCursor })
    await shown.first(showing('Page 1', 'Page 2', 'Page 3'))

    await client.mutation(UPDATE, { input: { connectionId: ids[0], name: 'Page one' } })
    await shown.first(showing('Page one', 'Page 2', 'Page 3'))

    await client.mutation(DELETE, { input: { connectionId: ids[1] } })
    await shown.first(({ edges }) => edges.every(({ node }) => node.id !== ids[1]))
  },

  async 'with Graphcache accounts of the same id at two services are two'(tether) {
    await tether.connectNamesakes()
    const { shown } = normalizing(tether, 'Namesake')
    const { edges } = await shown.first(() => true)
    const accounts = edges.map(({ node }) => [node.externalAccount.id, node.externalAccount.name])
    assert.deepEqual(accounts, [['77', 'github-77'], ['77', 'gitlab-77']])
  },
}

/** A client with the normalized cache, and an organization's connections as it shows them. */
function normalizing(tether, search) {
  const client = createClient(tether.url, tether.token, { exchanges: [graphcache(), fetchExchange] })
  const variables = { id: tether.organizationId, search, first: 2 }
  const shown = new Told()
  client.query(LIST, variables).subscribe(({ data }) => data && shown.add(data.organization.connections))
  return { client, variables, shown }
}

function showing(...names) {
  return ({ edges }) => isDeepStrictEqual(edges.map(({ node }) => node.name), names)
}

/** A client as the document makes it, and how its requests were answered. */
function listening({ url, token }, options) {
  const answers = []
  const client = createClient(url, token, {
    ...options,
    async fetch(input, init) {
      const response = await fetch(input, init)
      answers.push({ accept: init.headers.accept, type: response.headers.get('content-type'), status: response.status })
      return response
    },
  })
  return { client, answers }
}
