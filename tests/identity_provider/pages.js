// The two pages that people see: whom to sign in as, and whether the client may. Without scripts or styles of others.
export function loginPage(uid, clientId, complaint = '') {
  return page(
    'Sign in',
    `<form method="post" action="/interaction/${uid}/login">
      <p role="alert">${escaped(complaint)}</p>
      <label>Name <input name="login" autocomplete="username" autofocus required></label>
      <button name="continue">Sign in</button>
    </form>
    <form method="post" action="/interaction/${uid}/abort"><button name="abort">Cancel</button></form>`,
    clientId,
  )
}

export function consentPage(uid, clientId, scopes) {
  return page(
    'Allow access',
    `<form method="post" action="/interaction/${uid}/consent">
      <p>It will learn: ${escaped(scopes.join(', '))}.</p>
      <button name="continue" autofocus>Allow</button>
    </form>
    <form method="post" action="/interaction/${uid}/abort"><button name="abort">Cancel</button></form>`,
    clientId,
  )
}

function page(title, form, clientId) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>${title} – identity provider of the tests</title>
<main>
  <h1>${title}</h1>
  <p>For ${escaped(clientId)}.</p>
  ${form}
</main>
</html>`
}

function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
