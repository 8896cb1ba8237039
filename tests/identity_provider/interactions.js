// What the provider asks people: shows the pages, and takes the answers. Called by server.js for /interaction/….
import { knows, subjectOf } from './accounts.js'
import { consentPage, loginPage } from './pages.js'

export async function interact(provider, request, response, body) {
  const { uid, prompt, params, session, grantId } = await provider.interactionDetails(request, response)
  const answered = request.method === 'POST' ? request.url.split('/').pop() : undefined
  if (answered === 'abort') {
    await finish({ error: 'access_denied', error_description: 'End-User aborted interaction' }, false)
  } else if (answered === 'login' && prompt.name === 'login' && knows(body.get('login'))) {
    await finish({ login: { accountId: subjectOf(body.get('login')) } }, false)
  } else if (answered === 'consent' && prompt.name === 'consent') {
    await finish({ consent: { grantId: await granted() } }, true)
  } else if (prompt.name === 'login') {
    show(loginPage(uid, params.client_id, answered === 'login' ? 'There is nobody of this name here.' : ''))
  } else {
    show(consentPage(uid, params.client_id, params.scope.split(' ')))
  }

  async function finish(result, mergeWithLastSubmission) {
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission })
  }

  async function granted() {
    const grant = grantId
      ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
    const { missingOIDCScope = [], missingOIDCClaims = [], missingResourceScopes = {} } = prompt.details
    grant.addOIDCScope(missingOIDCScope.join(' '))
    grant.addOIDCClaims(missingOIDCClaims)
    for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
      grant.addResourceScope(resource, scopes.join(' '))
    }
    return grant.save()
  }

  function show(html) {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' })
    response.end(html)
  }
}
