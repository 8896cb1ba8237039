// graphql-ws against Tether: that subscriptions live as long as they are wanted, and that what closes a socket says why.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import { createClient } from 'graphql-ws'

import { lossyRelay } from '../lossy-relay.js'
import { Told } from '../tether.js'
import { connect, follow } from './client.js'

export const checks = {
  async 'an event caused by a mutation arrives, and the socket closes with the last subscription'(tether) {
    const { client, closed } = watched(tether.wsUrl, tether.token)
    const { events, sink } = collecting()
    const stop = follow(client, tether.organizationId, await tether.head(), sink)

    const id = await tether.connect('Followed')

    const created = await events.first((event) => event.type === 'CREATED')
    assert.deepEqual(created.connection, { id, name: 'Followed', status: created.connection.status })
    stop()
    assert.equal((await closed.first(() => true)).code, 1000)
  },

  async 'no socket is opened before the first subscription'(tether) {
    const { client, opened } = watched(tether.wsUrl, tether.token)
    assert.equal(opened.all.length, 0)
    const { data } = await once(client, `{ viewer { memberships { totalCount } } }`)
    assert.deepEqual(data, { viewer: { memberships: { totalCount: 1 } } })
    assert.equal(opened.all.length, 1)
  },

  async 'an eager client is connected without one, and stays so'(tether) {
    const { client, connected, closed } = watched(tether.wsUrl, tether.token, { lazy: false })
    await connected.first(() => true)
    await once(client, `{ viewer { user { name } } }`)
    assert.equal(closed.all.length, 0)
    await client.dispose()
    assert.equal((await closed.first(() => true)).code, 1000)
  },

  async 'after a lost socket it goes on where it stopped: nothing is missed and nothing comes twice'(tether) {
    const relay = await lossyRelay(tether.wsUrl)
    const { client, connected } = watched(relay.url, tether.token, { retryWait: () => relay.mended })
    const { events, sink } = collecting()
    const stop = follow(client, tether.organizationId, await tether.head(), sink)
    const id = await tether.connect('Lost and found')
    await events.first((event) => event.type === 'STATUS_CHANGED')

    relay.cut()
    await tether.rename(id, 'Renamed while it was away')
    relay.mend()

    await events.first((event) => event.type === 'UPDATED')
    stop()
    assert.equal(connected.all.length, 2)
    assert.equal(new Set(events.all.map((event) => event.cursor)).size, events.all.length)
    relay.close()
  },

  async 'with the cursor that it kept, a new client sees what happened meanwhile'(tether) {
    const id = await tether.connect('Kept')
    const after = await tether.head()
    await tether.rename(id, 'Kept under another name')
    const { client } = watched(tether.wsUrl, tether.token)
    const { events, sink } = collecting()
    follow(client, tether.organizationId, after, sink)
    const event = await events.first(() => true)
    assert.deepEqual([event.type, event.connection.name], ['UPDATED', 'Kept under another name'])
    await client.dispose()
  },

  async 'a wrong token closes with 4403'(tether) {
    const { client } = watched(tether.wsUrl, 'tether_wrong', { retryAttempts: 0 })
    const { code, reason } = await refused(client)
    assert.deepEqual([code, reason], [4403, 'Forbidden'])
  },

  async 'after 4403 it comes back with a token that holds'(tether) {
    const tokens = ['tether_wrong', tether.token]
    const client = connect(tether.wsUrl, () => tokens.shift(), { retryWait: async () => {} })
    assert.equal((await once(client, `{ viewer { user { email } } }`)).data.viewer.user.email, 'ada@graphql-ws.example')
  },

  async 'a revoked key closes the socket with 4403, and with another one it goes on where it stopped'(tether) {
    const key = await tether.issueKey()
    const tokens = [key.token, tether.token]
    const client = connect(tether.wsUrl, () => tokens.shift(), { retryWait: async () => {} })
    const closed = new Told()
    client.on('closed', (event) => closed.add(event))
    const { events, sink } = collecting()
    const stop = follow(client, tether.organizationId, await tether.head(), sink)
    const id = await tether.connect('Followed by a key')
    await events.first((event) => event.type === 'STATUS_CHANGED')

    await tether.revokeKey(key.id)

    const { code, reason } = await closed.first(() => true)
    assert.deepEqual([code, reason], [4403, 'Forbidden'])
    await tether.rename(id, 'Followed by another key')
    await events.first((event) => event.type === 'UPDATED')
    assert.equal(new Set(events.all.map((event) => event.cursor)).size, events.all.length)
    stop()
  },

  async 'without a token the operation is refused, and the socket stays open'(tether) {
    const closed = new Told()
    const client = createClient({ url: tether.wsUrl, lazyCloseTimeout: 60_000, on: { closed: (event) => closed.add(event) } })
    const { data, errors } = await once(client, `{ viewer { user { name } } }`)
    assert.deepEqual([data, errors[0].extensions.code], [null, 'UNAUTHENTICATED'])
    assert.equal(closed.all.length, 0)
    await client.dispose()
  },

  async 'another subprotocol is refused, and none closes with 4406'(tether) {
    const legacy = createClient({ url: tether.wsUrl, webSocketImpl: speaking('graphql-ws'), retryAttempts: 0 })
    assert.notEqual((await refused(legacy)).code, 1000)
    const none = createClient({ url: tether.wsUrl, webSocketImpl: speaking([]) })
    const { code, reason } = await refused(none)
    assert.deepEqual([code, reason], [4406, 'Subprotocol not acceptable'])
  },

  async 'what cannot be validated is an error of the operation, with its code'(tether) {
    const { client } = watched(tether.wsUrl, tether.token)
    const [error] = await refused(client, `{ viewer { password } }`)
    assert.equal(error.extensions.code, 'GRAPHQL_VALIDATION_FAILED')
    assert.match(error.message, /password/)
  },

  async 'a viewer is told why a mutation is not theirs'(tether) {
    const { client } = watched(tether.wsUrl, tether.viewerToken)
    const { errors } = await once(client, `mutation ($input: UpdateOrganizationInput!) { updateOrganization(input: $input) { userErrors { code } } }`, {
      input: { organizationId: tether.organizationId, name: 'Mine' },
    })
    assert.equal(errors[0].extensions.code, 'FORBIDDEN')
  },

  async 'many subscriptions share a socket, and completing one leaves the others'(tether) {
    const { client, opened } = watched(tether.wsUrl, tether.token)
    const [one, other] = [collecting(), collecting()]
    const after = await tether.head()
    const stop = follow(client, tether.organizationId, after, one.sink)
    follow(client, tether.organizationId, after, other.sink)
    const id = await tether.connect('Seen by both')
    await Promise.all([one, other].map(({ events }) => events.first((event) => event.type === 'STATUS_CHANGED')))
    stop()
    await tether.rename(id, 'Seen by one')
    await other.events.first((event) => event.type === 'UPDATED')
    assert.deepEqual(one.events.all.filter((event) => event.type === 'UPDATED'), [])
    assert.equal(opened.all.length, 1)
    await client.dispose()
  },

  async 'the server answers pings'(tether) {
    const pongs = new Told()
    const client = createClient({
      url: tether.wsUrl,
      lazy: false,
      keepAlive: 10,
      connectionParams: { authorization: `Bearer ${tether.token}` },
      on: { pong: (received) => received && pongs.add(received) },
    })
    await pongs.first(() => true)
    await client.dispose()
  },
}

/** A client as the document makes it, and what its socket goes through. */
function watched(url, token, options) {
  const [opened, connected, closed] = [new Told(), new Told(), new Told()]
  const client = connect(url, () => token, { ...options })
  client.on('opened', () => opened.add(true))
  client.on('connected', () => connected.add(true))
  client.on('closed', (event) => closed.add(event))
  return { client, opened, connected, closed }
}

function collecting() {
  const events = new Told()
  return { events, sink: { next: (event) => events.add(event), error: (error) => events.fail(error), complete() {} } }
}

/** The one answer to a query or mutation. */
async function once(client, query, variables) {
  const { value } = await client.iterate({ query, variables }).next()
  return value
}

/** What a client throws to whoever asks by it. */
async function refused(client, query = `{ viewer { user { name } } }`) {
  let answer
  try {
    answer = await once(client, query)
  } catch (thrown) {
    return thrown
  }
  assert.fail(`it was answered: ${inspect(answer, { depth: 6 })}`)
}

/** The platform's WebSocket, which offers other subprotocols than the client asks for. */
function speaking(protocols) {
  return class extends WebSocket {
    constructor(url) {
      super(url, protocols)
    }
  }
}
