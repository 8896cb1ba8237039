// A running Tether as the checks know it, and the other side that does things there while a client looks on.
// Its requests are plain ones, so that no client is held against itself. Used by every client's checks.js.

export class Tether {
  #credentials
  #namesakes

  /** `organizationId` is one that only this client's checks use. */
  constructor({ url, token, viewerToken, organizationId, slug, credentials, namesakes }) {
    this.url = url
    this.wsUrl = url.replace('http:', 'ws:')
    this.token = token
    this.viewerToken = viewerToken
    this.organizationId = organizationId
    this.slug = slug
    this.#credentials = credentials
    this.#namesakes = namesakes
  }

  /** A service's token that no connection has yet. */
  credential() {
    return this.#credentials.pop()
  }

  async ask(query, variables) {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ query, variables }),
    })
    const { data, errors } = await response.json()
    if (errors) throw new Error(JSON.stringify(errors))
    return data
  }

  /** The id of a new connection, of which the feed tells CREATED, and then more. */
  async connect(name, service = 'github', token = this.credential()) {
    const input = { organizationId: this.organizationId, service, name, credential: { token: { token } } }
    const query = `mutation ($input: CreateConnectionInput!) { createConnection(input: $input) { connection { id } userErrors { message } } }`
    const { connection, userErrors } = (await this.ask(query, { input })).createConnection
    if (!connection) throw new Error(JSON.stringify(userErrors))
    return connection.id
  }

  /** Connects two services as accounts that have the same id there, and other names: `github-77` and `gitlab-77`. */
  async connectNamesakes() {
    for (const [service, token] of Object.entries(this.#namesakes)) await this.connect(`Namesake at ${service}`, service, token)
  }

  /** Of which the feed tells UPDATED. */
  async rename(connectionId, name) {
    const query = `mutation ($input: UpdateConnectionInput!) { updateConnection(input: $input) { userErrors { message } } }`
    await this.ask(query, { input: { connectionId, name } })
  }

  /** A key that may read, as `{ id, token }`. */
  async issueKey() {
    const input = { organizationId: this.organizationId, name: 'A key to end', role: 'VIEWER' }
    const query = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { token apiKey { id } } }`
    const { token, apiKey } = (await this.ask(query, { input })).createApiKey
    return { id: apiKey.id, token }
  }

  async revokeKey(apiKeyId) {
    const query = `mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { message } } }`
    await this.ask(query, { input: { apiKeyId } })
  }

  /** The head of the feed: what happens from now on comes after it. */
  async head() {
    const query = `query ($id: ID!) { organization(by: { id: $id }) { eventCursor } }`
    return (await this.ask(query, { id: this.organizationId })).organization.eventCursor
  }
}

/** What a client was told, in its order, for checks that wait for some of it. */
export class Told {
  all = []
  #waiting = []

  add(value) {
    this.all.push(value)
    for (const look of [...this.#waiting]) look()
  }

  /** The first that satisfies, told already or yet to come. */
  first(satisfies) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.all.find(satisfies)
        if (found === undefined) return
        this.#waiting = this.#waiting.filter((each) => each !== look)
        resolve(found)
      }
      this.#waiting.push(look)
      look()
    })
  }
}
