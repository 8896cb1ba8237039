// A running Tether as the checks know it, and the other side that does things there while a client looks on.
// Its requests are plain ones, so that no client is held against itself. Used by every client's checks.js.

export class Tether {
  #credentials
  #namesakes

  /**
   * `organizationId` is one that only this client's checks use. `server` is what the client asks: the same as these
   * requests here, or, where `publishedUrl` is given, one that answers published documents alone.
   */
  constructor({ url, publishedUrl, token, viewerToken, organizationId, slug, credentials, namesakes }) {
    this.url = url
    this.server = { url: publishedUrl ?? url, token, published: publishedUrl !== undefined }
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
    return (await this.#mutate('createConnection', input, 'connection { id }')).connection.id
  }

  /** Connects two services as accounts that have the same id there, and other names: `github-77` and `gitlab-77`. */
  async connectNamesakes() {
    for (const [service, token] of Object.entries(this.#namesakes)) await this.connect(`Namesake at ${service}`, service, token)
  }

  /** Of which the feed tells UPDATED. */
  async rename(connectionId, name) {
    await this.#mutate('updateConnection', { connectionId, name }, 'connection { id }')
  }

  /** A key that may read, as `{ id, token }`. */
  async issueKey() {
    const input = { organizationId: this.organizationId, name: 'A key to end', role: 'VIEWER' }
    const { token, apiKey } = await this.#mutate('createApiKey', input, 'token apiKey { id }')
    return { id: apiKey.id, token }
  }

  async revokeKey(apiKeyId) {
    await this.#mutate('revokeApiKey', { apiKeyId }, 'apiKey { id }')
  }

  /** The head of the feed: what happens from now on comes after it. */
  async head() {
    const query = `query ($id: ID!) { organization(by: { id: $id }) { eventCursor } }`
    return (await this.ask(query, { id: this.organizationId })).organization.eventCursor
  }

  /** The payload of a mutation that has to work. */
  async #mutate(name, input, selection) {
    const type = `${name[0].toUpperCase()}${name.slice(1)}Input`
    const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { message } } }`
    const payload = (await this.ask(query, { input }))[name]
    if (payload.userErrors.length) throw new Error(JSON.stringify(payload.userErrors))
    return payload
  }
}

/** What a client was told, in its order, for checks that wait for some of it. An error that it was told ends the waiting. */
export class Told {
  all = []
  #waiting = new Set()
  #failure = null

  add(value) {
    this.all.push(value)
    for (const look of this.#waiting) look()
  }

  fail(error) {
    this.#failure ??= error instanceof Error ? error : new Error(`it was told ${wordsOf(error)}`)
    for (const look of this.#waiting) look()
  }

  /** The first that satisfies, told already or yet to come. */
  first(satisfies) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.all.find(satisfies)
        if (found !== undefined) resolve(found)
        else if (this.#failure) reject(this.#failure)
        else return
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** The error that the client was told, now or later. */
  failure() {
    return this.first(() => false).catch((error) => error)
  }
}

/** GraphQL's errors, or why a socket was closed: that event isn't to be inspected, since all of the platform hangs on it. */
function wordsOf(error) {
  return 'reason' in error ? `${error.code} ${error.reason}` : JSON.stringify(error)
}
