"""The identity provider that tests sign in with: npm's `oidc-provider`, a certified one, run by Node.js."""
