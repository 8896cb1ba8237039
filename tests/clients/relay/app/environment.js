// Tether by Relay: queries and mutations by POST, subscriptions by graphql-ws.
import { Environment, Network, Observable, RecordSource, Store } from 'relay-runtime'

import { connect } from '../../graphql-ws/client.js'

export function createEnvironment(url, token) {
  const socket = connect(url.replace(/^http/, 'ws'), () => token)

  async function ask(operation, variables) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(asked(operation, variables)) })
    return response.json()
  }

  function follow(operation, variables) {
    return Observable.create((sink) => socket.subscribe(asked(operation, variables), sink))
  }

  return new Environment({ network: Network.create(ask, follow), store: new Store(new RecordSource()), getDataID })
}

/** Where the compiler persists, an operation has an id, and no text: graphql-ws wants one, so it is empty. */
function asked({ id: documentId, text }, variables) {
  return { documentId, query: text ?? '', variables }
}

/** An ExternalAccount's id is the service's, which another service may have, too: it isn't the key of a record. */
function getDataID({ id }, typename) {
  return typename === 'ExternalAccount' ? undefined : id
}
