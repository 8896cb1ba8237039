// The provider itself: oidc-provider with one client, an audience for every resource, and keys that can be replaced.
// Made by server.js, anew for each set of keys; what it keeps (sessions, grants, codes) outlives that in `adapter`.
import { generateKeyPairSync, randomUUID } from 'node:crypto'

import { Provider } from 'oidc-provider'

import { findAccount } from './accounts.js'

export const CLIENT_ID = 'tether'
export const CLIENT_SECRET = 'tether-not-secret-but-long-enough-for-a-client'

const SCOPE = 'openid profile email offline_access'

/** A new key of each kind, private parts and all. RSA's serves every algorithm of RSA. */
export function generateKeys() {
  return [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ed25519'),
  ].map(({ privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig' }))
}

/** Signs with the first key that fits, and publishes all. */
export function createProvider(issuer, keys, adapter) {
  return new Provider(issuer, {
    adapter,
    jwks: { keys },
    cookies: { keys: ['not-secret'] },
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        application_type: 'native', // at such a client, a loopback address may have any port
        redirect_uris: ['http://127.0.0.1/sign-in/callback/main'],
        post_logout_redirect_uris: ['http://127.0.0.1/'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    claims: {
      email: ['email', 'email_verified'],
      openid: ['sub', 'organization', 'role'],
      profile: ['name', 'picture'],
    },
    conformIdTokenClaims: false, // so that what the scopes ask for is in ID tokens, too
    extraTokenClaims: (_context, token) => claimsOf(token.accountId),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: (_context, resource) => resourceServer(resource),
        useGrantedResource: () => true,
      },
      rpInitiatedLogout: { enabled: true },
    },
    findAccount: (_context, subject) => findAccount(subject),
    pkce: { required: () => true },
    scopes: SCOPE.split(' '),
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  })
}

/** An access token as it comes of a sign-in, without the sign-in. */
export async function issueAccessToken(provider, { subject, audience, algorithm, expiresIn }) {
  const token = new provider.AccessToken({
    accountId: subject,
    client: await provider.Client.find(CLIENT_ID),
    expiresIn,
    gty: 'authorization_code',
    resourceServer: resourceServer(audience, algorithm),
    scope: 'api',
  })
  return token.save()
}

function resourceServer(audience, algorithm = 'RS256') {
  return { audience, scope: 'api', accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } } }
}

async function claimsOf(subject) {
  const account = subject && findAccount(subject)
  return account ? account.claims() : undefined
}
