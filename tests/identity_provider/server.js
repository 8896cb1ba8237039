// The identity provider of the tests on a free port of this machine: what a browser and Tether see of it, and /control/….
// Started by tests/identity_provider/__init__.py, to which it prints its address; it ends when its standard input does.
import { createServer } from 'node:http'

import { putAccount, subjectOf } from './accounts.js'
import { Adapter } from './adapter.js'
import { interact } from './interactions.js'
import { createProvider, generateKeys, issueAccessToken } from './provider.js'

let issuer, keys, provider, down
const asked = {} // how often, by path

function publish(newKeys) {
  keys = newKeys
  provider = createProvider(issuer, keys, Adapter)
}

const controls = {
  // New keys sign from now on. The old ones stay published, unless they are retired.
  rotate({ retire = false }) {
    publish([...generateKeys(), ...(retire ? [] : keys)])
    return { kids: keys.map((key) => key.kid) }
  },
  account({ login, claims }) {
    putAccount(login, claims)
    return { subject: subjectOf(login) }
  },
  async token({ login, audience, algorithm = 'RS256', expires_in: expiresIn = 600 }) {
    return { token: await issueAccessToken(provider, { subject: subjectOf(login), audience, algorithm, expiresIn }) }
  },
  availability(given) {
    down = given.down
    return {}
  },
  asked: () => asked,
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, issuer)
  try {
    if (pathname.startsWith('/control/')) {
      const answer = await controls[pathname.slice('/control/'.length)](JSON.parse(await bodyOf(request)))
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer))
      return
    }
    asked[pathname] = (asked[pathname] ?? 0) + 1
    if (down) {
      response.writeHead(503).end()
    } else if (pathname.startsWith('/interaction/')) {
      await interact(provider, request, response, new URLSearchParams(await bodyOf(request)))
    } else {
      await provider.callback()(request, response)
    }
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
})

async function bodyOf(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`
  publish(generateKeys())
  console.log(issuer)
})
process.stdin.resume().on('end', () => process.exit())
