// Light or dark: as the system has it, or as somebody chose, which is all that this page leaves in the browser's storage.

const STORED = "tether-theme";
const CHOICES = ["system", "light", "dark"];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

export const theme = {
  choice: CHOICES.includes(localStorage.getItem(STORED)) ? localStorage.getItem(STORED) : "system",

  /** "light" or "dark". */
  get resolved() {
    return this.choice === "system" ? (systemIsDark.matches ? "dark" : "light") : this.choice;
  },

  choose(choice) {
    this.choice = choice;
    localStorage.setItem(STORED, choice);
    tell();
  },

  subscribe(listener) {
    listeners.add(listener);
  },
};

function tell() {
  document.documentElement.dataset.theme = theme.resolved;
  for (const listener of listeners) listener();
}

systemIsDark.addEventListener("change", tell);
tell();
