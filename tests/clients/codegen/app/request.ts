// One typed request: what comes back has the type that the operation's selections make.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'

export interface GraphQLError {
  message: string
  path?: (string | number)[]
  extensions: { code: string; requestId: string }
}

export class RequestError extends Error {
  readonly errors: GraphQLError[]

  constructor(errors: GraphQLError[]) {
    super(errors.map(({ message }) => message).join('\n'))
    this.errors = errors
  }
}

export async function request<Data, Variables>(
  tether: { url: string; token: string },
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(tether.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${tether.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(document), variables }),
  })
  const { data, errors } = (await response.json()) as { data: Data; errors?: GraphQLError[] }
  if (errors) throw new RequestError(errors)
  return data
}
