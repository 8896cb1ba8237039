// Lets Node.js load the files of app/ as a bundler does: with Babel's plugin of Relay, which puts what relay-compiler has
// made of each graphql`…` in its place. Imported by checks.js before them.
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

import { transformSync } from '@babel/core'

const app = new URL('app/', import.meta.url).href

registerHooks({
  resolve(specifier, context, next) {
    return next(specifier.endsWith('.graphql') ? `${specifier}.js` : specifier, context)
  },
  load(url, context, next) {
    if (!url.startsWith(app) || url.endsWith('.graphql.js')) return next(url, context)
    const filename = fileURLToPath(url)
    const { code } = transformSync(readFileSync(filename, 'utf8'), { filename, babelrc: false, configFile: false, plugins: ['relay'] })
    return { format: 'module', source: code, shortCircuit: true }
  },
})
