// Relay against Tether: what its compiler makes of our schema runs here without React, by what react-relay's hooks call.
import assert from 'node:assert/strict'

import {
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getPaginationMetadata,
  getPaginationVariables,
  getRefetchMetadata,
  getRequest,
  getSelector,
  requestSubscription,
} from 'relay-runtime'

import { Told } from '../tether.js'
import './babel.js'

const { createEnvironment } = await import('./app/environment.js')
const { query, fragment: list } = await import('./app/ServiceConnectionList.js')
const { fragment: item } = await import('./app/ServiceConnectionItem.js')
const { create, remove } = await import('./app/ServiceConnectionMutations.js')
const { events } = await import('./app/ServiceConnectionEvents.js')

export const checks = {
  async 'a page is read, and the next one is put after it'(tether) {
    for (const number of [1, 2, 3]) await tether.connect(`Page ${number}`)
    const screen = new Screen(tether, { search: 'Page' })
    await screen.open()
    assert.deepEqual(screen.names, ['Page 1', 'Page 2'])
    assert.equal(screen.connections.totalCount, 3)
    assert.equal(screen.connections.pageInfo.hasNextPage, true)
    await screen.loadNext(2)
    assert.deepEqual(screen.names, ['Page 1', 'Page 2', 'Page 3'])
    assert.equal(screen.connections.pageInfo.hasNextPage, false)
  },

  async 'a list of another filter is another one'(tether) {
    const [all, some] = [new Screen(tether, { search: 'Page' }), new Screen(tether, { search: 'Page 2' })]
    some.environment = all.environment
    await all.open()
    await some.open()
    assert.deepEqual([all.names, some.names], [['Page 1', 'Page 2'], ['Page 2']])
    assert.notEqual(all.connections.__id, some.connections.__id)
  },

  async 'a deleted connection leaves the list by @deleteEdge'(tether) {
    for (const number of [1, 2]) await tether.connect(`Doomed ${number}`)
    const screen = new Screen(tether, { search: 'Doomed' })
    await screen.open()
    const [doomed] = screen.nodes
    const { deleteConnection } = await screen.commit(remove, { connectionId: doomed.id })
    assert.deepEqual(deleteConnection, { deletedConnectionId: doomed.id, userErrors: [] })
    assert.deepEqual(screen.names, ['Doomed 2'])
  },

  async 'a created connection comes into the list by @prependNode'(tether) {
    const screen = new Screen(tether, { search: 'Created' })
    await screen.open()
    assert.deepEqual(screen.names, [])
    const { createConnection } = await screen.commit(create, {
      organizationId: tether.organizationId,
      service: 'github',
      name: 'Created',
      credential: { token: { token: tether.credential() } },
    })
    assert.deepEqual(createConnection.userErrors, [])
    assert.deepEqual(screen.names, ['Created'])
  },

  async 'what is refused leaves the list, and says which part of the input it is'(tether) {
    const screen = new Screen(tether, { search: 'Created' })
    await screen.open()
    const { createConnection } = await screen.commit(create, {
      organizationId: tether.organizationId,
      service: 'github',
      name: 'Created',
      credential: { token: { token: tether.credential() } },
    })
    assert.equal(createConnection.connection, null)
    assert.deepEqual(createConnection.userErrors[0].field, ['input', 'name'])
    assert.deepEqual(screen.names, ['Created'])
  },

  async 'a fragment is asked for again by its node'(tether) {
    const id = await tether.connect('Refetched')
    const screen = new Screen(tether, { search: 'Refetched' })
    await screen.open()
    await tether.rename(id, 'Refetched under another name')
    assert.deepEqual(screen.names, ['Refetched'])
    const { refetchableRequest, identifierInfo } = getRefetchMetadata(item, 'useRefetchableFragment()')
    await screen.fetch(refetchableRequest, { [identifierInfo.identifierQueryVariableName]: id })
    assert.deepEqual(screen.names, ['Refetched under another name'])
  },

  async 'a subscription keeps what is shown as it is at Tether'(tether) {
    const id = await tether.connect('Subscribed')
    const screen = new Screen(tether, { search: 'Subscribed' })
    await screen.open()
    const told = new Told()
    const { dispose } = requestSubscription(screen.environment, {
      subscription: events,
      variables: { organizationId: tether.organizationId, after: await tether.head() },
      onNext: ({ connectionEvents }) => told.add(connectionEvents),
      onError: (error) => told.fail(error),
    })
    await tether.rename(id, 'Subscribed and renamed')
    const event = await told.first(() => true)
    assert.equal(event.type, 'UPDATED')
    assert.deepEqual(screen.names, ['Subscribed and renamed'])
    dispose()
  },

  async 'accounts of the same id at two services are two'(tether) {
    await tether.connectNamesakes()
    const screen = new Screen(tether, { search: 'Namesake' })
    await screen.open()
    const accounts = screen.items.map(({ externalAccount: { id, name } }) => [id, name])
    assert.deepEqual(accounts, [['77', 'github-77'], ['77', 'gitlab-77']])
  },

  async 'an error of the operation is thrown, with what Tether says'(tether) {
    const screen = new Screen({ slug: tether.slug, server: { ...tether.server, token: 'tether_wrong' } }, null)
    await assert.rejects(screen.open(), /This needs a valid API key of this server/)
  },
}

/** What a page made of the fragments shows: it reads the store each time, as React does after a change. */
class Screen {
  constructor(tether, filter) {
    this.environment = createEnvironment(tether.server.url, tether.server.token)
    this.variables = { slug: tether.slug, filter }
  }

  async open() {
    await this.fetch(query, this.variables)
  }

  async fetch(request, variables) {
    this.environment.retain(createOperationDescriptor(getRequest(request), variables))
    await fetchQuery(this.environment, request, variables).toPromise()
  }

  /** What usePaginationFragment's loadNext does. */
  async loadNext(count) {
    const { paginationRequest, paginationMetadata, identifierField } = getPaginationMetadata(list, 'usePaginationFragment()')
    const { dataID, variables } = getSelector(list, this.organization)
    const cursor = this.connections.pageInfo.endCursor
    const next = getPaginationVariables('forward', count, cursor, variables, {}, paginationMetadata)
    await this.fetch(paginationRequest, { ...next, [identifierField]: dataID })
  }

  /** The payload of a mutation that changes this list. */
  commit(mutation, input) {
    const variables = { input, connections: [this.connections.__id] }
    return new Promise((onCompleted, onError) => commitMutation(this.environment, { mutation, variables, onCompleted, onError }))
  }

  get organization() {
    return this.#read(createOperationDescriptor(getRequest(query), this.variables).fragment).organization
  }

  get connections() {
    return this.#read(getSelector(list, this.organization)).connections
  }

  get nodes() {
    return this.connections.edges.map(({ node }) => node)
  }

  get items() {
    return this.nodes.map((node) => this.#read(getSelector(item, node)))
  }

  get names() {
    return this.items.map(({ name }) => name)
  }

  #read(selector) {
    return this.environment.lookup(selector).data
  }
}
