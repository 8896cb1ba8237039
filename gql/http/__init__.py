"""How Tether answers over HTTP and WebSocket: the application, the GraphQL view and the health endpoints."""
