// Escape leaves an editor, in which Tab is a part of the text; its surroundings take the focus. Used by main.js.

const CLOSES_FIRST = ".suggest-widget.visible, .parameter-hints-widget.visible, .find-widget.visible";

export function letEscapeLeaveEditors() {
  document.addEventListener(
    "keydown",
    (event) => {
      const surroundings = event.target.closest?.(".graphiql-editor");
      if (event.key === "Escape" && surroundings && !surroundings.querySelector(CLOSES_FIRST)) surroundings.focus();
    },
    { capture: true },
  );
}
