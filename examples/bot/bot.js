// A bot that answers whoever mentions it in Slack, in the thread: one subscription and two calls of Tether.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { createClient } from 'graphql-ws'

const { TETHER_URL = 'http://127.0.0.1:8000', TETHER_TOKEN, TETHER_ORGANIZATION, BOT_PLACE = 'place.txt' } = process.env
const authorization = `Bearer ${TETHER_TOKEN}`

const PLACE = `query Place($id: ID!) { organization(by: {id: $id}) { eventCursor } }`
const MENTIONS = `subscription Mentions($id: ID!, $after: String!) {
  serviceEvents(organizationId: $id, after: $after, filter: {services: ["slack"], types: ["app_mention"]}) {
    eventId deliveryId cursor actor text
  }
}`
const SELECT = `query Select($id: ID!, $input: CommandSelectionInput!) {
  organization(by: {id: $id}) {
    commandSelection(input: $input) { command { id } connection { id } arguments explanation }
  }
}`
const RUN = `mutation Run($input: RunCommandInput!) {
  runCommand(input: $input) { run { status } userErrors { message } }
}`

async function ask(query, variables) {
  const headers = { authorization, 'content-type': 'application/json' }
  const body = JSON.stringify({ query, variables })
  const { data, errors } = await (await fetch(`${TETHER_URL}/graphql`, { method: 'POST', headers, body })).json()
  if (errors) throw new Error(errors.map((error) => error.message).join(' '))
  return data
}

/** What to say, calling nobody else: `<!channel>` would. Replace it; the same event has to get the same answer. */
function answerTo({ actor, text }) {
  return `<@${actor}> Noted: ${(text ?? '').replace(/<[^>]*>/g, '').trim() || 'nothing'}`
}

async function react(event) {
  const input = { eventId: event.eventId, commandId: 'slack.reply_in_thread', arguments: { text: answerTo(event) } }
  const { commandSelection: found } = (await ask(SELECT, { id: TETHER_ORGANIZATION, input })).organization
  if (!found.command) return console.log(`${event.eventId}: ${found.explanation}`)
  const { run, userErrors } = (await ask(RUN, {
    input: {
      commandId: found.command.id,
      connectionId: found.connection.id,
      arguments: found.arguments,
      idempotencyKey: `bot:${event.deliveryId}`, // however often it is told, the reply is written once
    },
  })).runCommand
  console.log(`${event.eventId}: ${run?.status ?? 'not run'} ${userErrors.map((error) => error.message).join(' ')}`)
}

async function keepPlace(cursor) {
  await writeFile(`${BOT_PLACE}.new`, cursor)
  await rename(`${BOT_PLACE}.new`, BOT_PLACE)
}

const kept = await readFile(BOT_PLACE, 'utf8').catch(() => null)
const after = kept ?? (await ask(PLACE, { id: TETHER_ORGANIZATION })).organization.eventCursor
await keepPlace(after)
const variables = { id: TETHER_ORGANIZATION, after } // read anew each time that the socket is lost
const client = createClient({
  url: `${TETHER_URL.replace(/^http/, 'ws')}/graphql`,
  connectionParams: { authorization },
  shouldRetry: (problem) => !(problem instanceof Error), // Node.js tells a lost socket by an event of its own
  on: { connected: () => console.log(`Following after ${variables.after}`) },
})
for await (const { data, errors } of client.iterate({ query: MENTIONS, variables })) {
  if (errors) throw new Error(errors[0].message)
  await react(data.serviceEvents)
  variables.after = data.serviceEvents.cursor
  await keepPlace(variables.after) // only now: what a bot that is killed had begun, it begins again
}
