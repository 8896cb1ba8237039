// Runs one client's checks against a Tether, one after the other, and writes a line of JSON for each: its name, and what
// it saw if it failed. Started by tests/clients/running.py, which says in TETHER where it is and who may do what there.
import { inspect } from 'node:util'

import { Tether } from './tether.js'

const CHECK_SECONDS = 15

class Late extends Error {}

const { client, ...given } = JSON.parse(process.env.TETHER)
const { checks } = await import(`./${client}/checks.js`)
const tether = new Tether(given)
for (const [check, run] of Object.entries(checks)) {
  let failure = null
  try {
    await Promise.race([run(tether), late()])
  } catch (thrown) {
    failure = thrown
  }
  console.log(JSON.stringify({ check, seen: failure && inspect(failure, { depth: 6, breakLength: 120 }) }))
  if (failure instanceof Late) break // the others would wait, too
}
process.exit() // whatever a client still holds open

function late() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Late(`it hasn't come to an end within ${CHECK_SECONDS} s`)), CHECK_SECONDS * 1000).unref()
  })
}
