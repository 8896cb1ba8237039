// The page around GraphiQL: who is signed in, the dialog for a key, the choice of the theme. Used by both entries.

import { theme } from "./theme.js";

/** What the server wrote into the page: { examples: texts of operations, signIn: address or null, signOut, strangersMayIntrospect }. */
export function pageData() {
  return JSON.parse(element("tether").textContent);
}

/** Makes the page's own controls work; `data` is what `pageData` gives. */
export function setUpPage(session, data) {
  setUpTheme();
  setUpDialog(session, data);
  const button = element("session");
  button.addEventListener("click", async () => {
    if (session.person === null) openDialog();
    else await session.signOut(data);
  });
  const show = () => {
    element("person").textContent = greeting(session.person);
    button.textContent = session.person === null ? "Sign in…" : "Sign out";
    button.hidden = false;
  };
  session.subscribe(show);
}

/** `problem`: why whoever is signed in isn't shown, or null. */
export function openDialog(problem = null) {
  element("sign-in-problem").textContent = problem ?? "";
  element("sign-in").showModal();
}

function setUpTheme() {
  const select = element("theme");
  select.value = theme.choice;
  select.addEventListener("change", () => theme.choose(select.value));
}

function setUpDialog(session, data) {
  const dialog = element("sign-in");
  const form = element("sign-in-form");
  const field = element("api-key");
  if (data.signIn !== null) {
    element("sign-in-account").href = `${data.signIn}?returnTo=/graphql`;
    element("sign-in-by-account").hidden = false;
    element("api-key").autofocus = false; // the dialog gives the focus to what is usual here
    element("sign-in-account").autofocus = true;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(dialog, () => session.signInWithKey(field.value.trim()));
  });
  element("sign-in-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    field.value = "";
    element("sign-in-problem").textContent = "";
  });
}

async function attempt(dialog, signIn) {
  const problem = element("sign-in-problem");
  problem.textContent = "";
  try {
    await signIn();
    dialog.close();
  } catch (failure) {
    problem.textContent = failure.message;
    element("api-key").focus();
  }
}

function greeting(person) {
  if (person === null) return "Not signed in";
  return person.organization ? `${person.name}, ${person.role} of ${person.organization.slug}` : person.name;
}

function element(id) {
  return document.getElementById(id);
}
