// Where the provider keeps sessions, grants and codes: in memory, in one place for all providers of this process.
const kept = new Map()

export class Adapter {
  constructor(kind) {
    this.kind = kind
  }

  async upsert(id, payload, expiresIn) {
    const until = expiresIn ? Date.now() + expiresIn * 1000 : Infinity
    kept.set(`${this.kind}:${id}`, { payload, until })
  }

  async find(id) {
    return this.#found((key) => key === `${this.kind}:${id}`)
  }

  async findByUid(uid) {
    return this.#found((key, payload) => key.startsWith(`${this.kind}:`) && payload.uid === uid)
  }

  async findByUserCode() {
    return undefined // no devices here
  }

  async consume(id) {
    const payload = await this.find(id)
    if (payload) payload.consumed = Math.floor(Date.now() / 1000)
  }

  async destroy(id) {
    kept.delete(`${this.kind}:${id}`)
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of kept) if (payload.grantId === grantId) kept.delete(key)
  }

  #found(matches) {
    for (const [key, { payload, until }] of kept) if (until > Date.now() && matches(key, payload)) return payload
    return undefined
  }
}
