// Runs every audit against the Tether at process.env.TETHER_URL, and prints one line of JSON for each.

import { auditServer } from "graphql-http";

const { TETHER_URL: url, TETHER_TOKEN: token } = process.env;

function fetchFn(address, init) {
  return fetch(address, {
    ...init,
    headers: { Authorization: `Bearer ${token}`, "X-Tether-CSRF": "1", ...init?.headers },
  });
}

for (const { id, name, status, reason, response } of await auditServer({ url, fetchFn })) {
  console.log(JSON.stringify({ id, name, status, seen: reason ? `${reason} (${response.status})` : null }));
}
