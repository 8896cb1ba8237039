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

/** `published`: whether to ask by ids, which `tether documents publish` has told the server. */
export interface Tether {
  url: string
  token: string
  published?: boolean
}

export async function request<Data, Variables>(
  tether: Tether,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(tether.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${tether.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...(tether.published ? { documentId: idOf(document) } : { query: print(document) }), variables }),
  })
  const { data, errors } = (await response.json()) as { data: Data; errors?: GraphQLError[] }
  if (errors) throw new RequestError(errors)
  return data
}

/** What graphql-codegen has put into the document, and into the manifest with its text. */
function idOf(document: object): string {
  return (document as { __meta__?: { hash: string } }).__meta__!.hash
}
