// What has to be an error for the compiler: each line says so itself, and is one if it isn't.
import type { FragmentType } from './__generated__/index.ts'
import { useFragment } from './__generated__/index.ts'
import { CardFragmentDoc, type ConnectionStatus } from './__generated__/graphql.ts'
import { Connections } from './connections.ts'
import { request } from './request.ts'

const tether = { url: '', token: '' }

export async function wrong(masked: FragmentType<typeof CardFragmentDoc>): Promise<void> {
  // @ts-expect-error: an organization may be null
  void (await request(tether, Connections, { slug: 'acme' })).organization.connections
  // @ts-expect-error: a variable that the operation needs
  void request(tether, Connections, {})
  // @ts-expect-error: no such status
  void request(tether, Connections, { slug: 'acme', filter: { status: ['BROKEN'] } })
  // @ts-expect-error: a fragment's fields are its component's alone
  void masked.name
  const { status, externalAccount, labels } = useFragment(CardFragmentDoc, masked)
  // @ts-expect-error: statuses aren't any text
  const other: ConnectionStatus = status.toLowerCase()
  // @ts-expect-error: nobody may be known
  void externalAccount.url
  // @ts-expect-error: JSON has to be looked at first
  void labels.team
}
