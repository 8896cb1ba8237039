// People, by the name that they log in with: what the provider says of each. Tests add their own.
const accounts = new Map()

/** Replaces what is known of them. `claims` are said as they are: name, email, email_verified, picture, … */
export function putAccount(login, claims) {
  accounts.set(login, claims)
}

export function knows(login) {
  return accounts.has(login)
}

export function subjectOf(login) {
  return `subject-of-${login}`
}

/** In the form that oidc-provider asks for; undefined for nobody. */
export function findAccount(subject) {
  const login = [...accounts.keys()].find((each) => subjectOf(each) === subject)
  return login && { accountId: subject, claims: async () => ({ sub: subject, ...accounts.get(login) }) }
}

putAccount('ada', {
  name: 'Ada Lovelace',
  email: 'ada@acme.example',
  email_verified: true,
  picture: 'https://pictures.example/ada.png',
})
putAccount('bob', { name: 'Bob Unverified', email: 'bob@acme.example', email_verified: false })
