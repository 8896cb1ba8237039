// Tether by Relay: queries and mutations by POST, subscriptions by graphql-ws.
import { Environment, Network, Observable, RecordSource, Store } from 'relay-runtime'

import { connect } from '../../graphql-ws/client.js'

export function createEnvironment(url, token) {
  const socket = connect(url.replace(/^http/, 'ws'), () => token)

  async function ask({ text: query }, variables) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
    return response.json()
  }

  function follow({ text: query }, variables) {
    return Observable.create((sink) => socket.subscribe({ query, variables }, sink))
  }

  return new Environment({ network: Network.create(ask, follow), store: new Store(new RecordSource()), getDataID })
}

/** An ExternalAccount's id is the service's, which another service may have, too: it isn't the key of a record. */
function getDataID({ id }, typename) {
  return typename === 'ExternalAccount' ? undefined : id
}
