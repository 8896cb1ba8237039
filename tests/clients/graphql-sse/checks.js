// graphql-sse against Tether, in distinct connections mode: streams that come to their end, are cut, or are refused.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import { lossyRelay } from '../lossy-relay.js'
import { Told } from '../tether.js'
import { connect, follow } from './client.js'

export const checks = {
  async 'an event caused by a mutation arrives'(tether) {
    const { events, sink } = collecting()
    const stop = follow(connect(tether.url, () => tether.token), tether.organizationId, await tether.head(), sink)
    const id = await tether.connect('Followed')
    const { connection } = await events.first((event) => event.type === 'CREATED')
    assert.deepEqual(connection, { id, name: 'Followed', status: connection.status })
    stop()
  },

  async 'a query is one result, and then complete'(tether) {
    const client = connect(tether.url, () => tether.token)
    const results = []
    for await (const result of client.iterate({ query: `{ viewer { memberships { totalCount } } }` })) results.push(result)
    assert.deepEqual(results.map(({ data }) => data), [{ viewer: { memberships: { totalCount: 1 } } }])
  },

  async 'after a lost stream it goes on where it stopped: nothing is missed and nothing comes twice'(tether) {
    const relay = await lossyRelay(tether.url)
    const connections = new Told()
    const client = connect(relay.url, () => tether.token, {
      retry: () => relay.mended,
      on: { connected: (retried) => connections.add(retried) },
    })
    const { events, sink } = collecting()
    const stop = follow(client, tether.organizationId, await tether.head(), sink)
    const id = await tether.connect('Lost and found')
    await events.first((event) => event.type === 'STATUS_CHANGED')

    relay.cut()
    await tether.rename(id, 'Renamed while it was away')
    relay.mend()

    await events.first((event) => event.type === 'UPDATED')
    stop()
    assert.deepEqual(connections.all, [false, true])
    assert.equal(new Set(events.all.map((event) => event.cursor)).size, events.all.length)
    relay.close()
  },

  async 'a wrong token is refused, with its code'(tether) {
    const client = connect(tether.url, () => 'tether_wrong', { retryAttempts: 0 })
    assert.equal(await refusal(client, `{ viewer { user { name } } }`), 'UNAUTHENTICATED')
  },

  async 'after 401 it comes back with a token that holds'(tether) {
    const tokens = ['tether_wrong', tether.token]
    const client = connect(tether.url, () => tokens.shift(), { retry: async () => {} })
    const { value } = await client.iterate({ query: `{ viewer { user { email } } }` }).next()
    assert.equal(value.data.viewer.user.email, 'ada@graphql-sse.example')
  },

  async 'what cannot be validated is told in the stream, with its code'(tether) {
    const client = connect(tether.url, () => tether.token, { retryAttempts: 0 })
    assert.equal(await refusal(client, `subscription { passwords }`), 'GRAPHQL_VALIDATION_FAILED')
  },

  async 'a feed that is not theirs is refused, with its code'(tether) {
    const client = connect(tether.url, () => tether.token, { retryAttempts: 0 })
    const query = `subscription { connectionEvents(organizationId: "org_01900000-0000-7000-8000-000000000000") { type } }`
    assert.equal(await refusal(client, query), 'FORBIDDEN')
  },
}

function collecting() {
  const events = new Told()
  return { events, sink: { next: (event) => events.add(event), error: (error) => events.fail(error), complete() {} } }
}

/** The code of the one error of an operation, which is told in the stream, or by an answer that is none. */
async function refusal(client, query) {
  let told
  try {
    told = (await client.iterate({ query }).next()).value
  } catch (thrown) {
    if (!thrown.response) throw thrown
    told = await thrown.response.json()
  }
  assert.equal(told.errors?.length, 1, inspect(told))
  return told.errors[0].extensions.code
}
