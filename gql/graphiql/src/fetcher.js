// How GraphiQL asks: queries and mutations by POST, subscriptions over the socket. Used by graphiql.js.

/**
 * A fetcher as GraphiQL takes it; `socket` is a client of graphql-ws. Without `parse` it relies on what GraphiQL tells
 * of the operation, which just after a change of tab is still the former tab's.
 */
export function createFetcher(session, socket, parse) {
  return (operation, { documentAST } = {}) => {
    const chosen = chosenOperation(parse ? parsed(parse, operation.query) : documentAST, operation.operationName);
    const sent = { ...operation, operationName: chosen?.name?.value };
    return chosen?.operation === "subscription" ? follow(socket, sent) : post(session, sent);
  };
}

/** A client that connects when the first subscription needs it, as whoever is signed in. */
export function openSocket(createClient, session) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return createClient({
    url: `${scheme}://${location.host}/graphql`,
    connectionParams: () => session.connectionParams(),
  });
}

/** What went wrong, as graphql-ws tells it: an Error, the event of a closed socket, or errors of GraphQL. */
export function socketProblem(failure) {
  if (Array.isArray(failure)) return failure.map((error) => error.message).join(" ");
  if (failure instanceof Error) return failure.message;
  return `The server closed the socket: ${failure.reason || failure.code || "it can't be reached"}.`;
}

/** Null for what can't be parsed, of which the server tells where it is wrong. */
function parsed(parse, query) {
  try {
    return parse(query);
  } catch {
    return null;
  }
}

function chosenOperation(document, name) {
  const operations = document?.definitions.filter((definition) => definition.kind === "OperationDefinition") ?? [];
  return operations.find((operation) => operation.name?.value === name) ?? operations[0];
}

async function post(session, operation) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json",
      "Content-Type": "application/json",
      ...session.headers(),
    },
    body: JSON.stringify(operation),
  });
  return response.json();
}

async function* follow(socket, operation) {
  try {
    yield* socket.iterate(operation);
  } catch (failure) {
    throw new Error(socketProblem(failure));
  }
}
