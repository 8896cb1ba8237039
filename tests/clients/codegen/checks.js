// The sample of graphql-codegen, whose types the compiler has seen, against Tether: its results are what the types say.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import { Connections, list, rename } from './app/connections.ts'
import { request, RequestError } from './app/request.ts'

export const checks = {
  async 'a typed query is answered as its type says'(tether) {
    await tether.connect('Typed')
    const year = new Date().getUTCFullYear()
    assert.deepEqual(await list(tether.server, tether.slug, 'Typed'), [`Typed is in use, as acme-bot, since ${year}`])
  },

  async 'nullable means that it may be null'(tether) {
    await assert.rejects(list(tether.server, 'nobody', ''), { message: "There is no nobody, or you don't belong to it." })
  },

  async 'a typed mutation tells its errors apart'(tether) {
    const id = await tether.connect('Contended')
    assert.equal(await rename(tether.server, id, 'Late', 99), 1)
    assert.match(await rename(tether.server, id, 'In time', 1), /^In time is in use/)
    await assert.rejects(rename(tether.server, id, 'x'.repeat(1000), 2), /name/)
  },

  async 'an error of the operation has its code'(tether) {
    const refused = request({ ...tether.server, token: 'tether_wrong' }, Connections, { slug: tether.slug })
    const error = await refused.then(assert.fail, (thrown) => thrown)
    assert.ok(error instanceof RequestError)
    assert.equal(error.errors[0].extensions.code, 'UNAUTHENTICATED')
  },

  async 'a server that answers published documents alone takes no text'(tether) {
    if (!tether.server.published) return
    const refused = request({ ...tether.server, published: false }, Connections, { slug: tether.slug })
    const error = await refused.then(assert.fail, (thrown) => thrown)
    assert.equal(error.errors[0].extensions.code, 'FORBIDDEN')
  },

  async 'the manifest has every operation by the SHA-256 of its text'() {
    const manifest = JSON.parse(await readFile(new URL('app/__generated__/persisted-documents.json', import.meta.url), 'utf8'))
    const hashes = Object.values(manifest).map((text) => `sha256:${createHash('sha256').update(text).digest('hex')}`)
    assert.deepEqual(Object.keys(manifest), hashes)
    assert.ok(Connections.__meta__.hash in manifest)
  },
}
