"""How Tether is reached: GraphQL over HTTP and WebSocket, and the command line. The composition root is `bootstrap`."""
