// A sample of what an application does with Tether's types. `tsc --strict` reads it, and checks.js runs it.
import { graphql, useFragment, type FragmentType } from './__generated__/index.ts'
import type { ConnectionStatus } from './__generated__/graphql.ts'
import { request, type Tether } from './request.ts'

const Card = graphql(`
  fragment Card on ServiceConnection {
    id
    name
    status
    labels
    createdAt
    externalAccount {
      name
      url
    }
  }
`)

export const Connections = graphql(`
  query Connections($slug: String!, $filter: ServiceConnectionFilter) {
    organization(by: { slug: $slug }) {
      connections(first: 100, filter: $filter) {
        nodes {
          ...Card
        }
      }
    }
  }
`)

const Rename = graphql(`
  mutation Rename($input: UpdateConnectionInput!) {
    updateConnection(input: $input) {
      connection {
        ...Card
      }
      userErrors {
        __typename
        message
        ... on VersionConflict {
          currentVersion
        }
        ... on ServiceFailure {
          retryAfterSeconds
        }
      }
    }
  }
`)

const WORDS: Record<ConnectionStatus, string> = {
  PENDING: 'not checked yet',
  ACTIVE: 'in use',
  INACTIVE: 'paused',
  EXPIRED: 'its credential has ended',
  REVOKED: 'no longer let in',
  ERROR: 'failing',
}

export async function list(tether: Tether, slug: string, search: string): Promise<string[]> {
  const { organization } = await request(tether, Connections, { slug, filter: { search, status: ['ACTIVE', 'PENDING'] } })
  if (organization === null) throw new Error(`There is no ${slug}, or you don't belong to it.`)
  return organization.connections.nodes.map(described)
}

/** The version to try again with, where somebody else was faster. */
export async function rename(tether: Tether, connectionId: string, name: string, version: number): Promise<string | number> {
  const { updateConnection } = await request(tether, Rename, { input: { connectionId, name, expectedVersion: version } })
  for (const error of updateConnection.userErrors) {
    switch (error.__typename) {
      case 'VersionConflict':
        return error.currentVersion
      case 'ServiceFailure':
        throw new Error(`${error.message} Try again in ${error.retryAfterSeconds ?? 60} s.`)
      default:
        throw new Error(error.message)
    }
  }
  return described(updateConnection.connection!)
}

function described(connection: FragmentType<typeof Card>): string {
  const { name, status, createdAt, externalAccount } = useFragment(Card, connection)
  const created: number = Date.parse(createdAt)
  const account: string = externalAccount?.name ?? 'nobody'
  return `${name} is ${WORDS[status]}, as ${account}, since ${new Date(created).getUTCFullYear()}`
}
