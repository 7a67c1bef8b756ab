// Who is signed in. An open service wants nobody to; a closed one asks for an API key once and then knows
// the browser by a cookie that no script can read. What changes something carries the session's token.

import { problemFrom, unreachable } from "./api.js";
import { byId, element } from "./dom.js";

let token = null;

/** `headers` with the session's token, where there is one. */
export const authorised = (headers = {}) => (token === null ? headers : { ...headers, "X-CSRF-Token": token });

async function ask(options = {}) {
  try {
    return await fetch("/v1/session", options);
  } catch {
    throw unreachable();
  }
}

async function keep(response) {
  token = (await response.json()).csrf_token;
}

/** Resolves once the service knows who is calling, having asked for a key if it must. */
export async function signedIn() {
  const response = await ask();
  if (response.ok) return keep(response);
  if (response.status === 401) return askForKey();
  throw problemFrom(response.status, await response.text());
}

/** Resolves once a key was taken. */
function askForKey() {
  const key = element("input", { type: "password", id: "key", name: "key", autocomplete: "current-password", required: "" });
  const refusal = element("p", { role: "alert", class: "muted", id: "key-problem" });
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "key-title" }, "Sign in"),
    element("label", { for: "key" }, "API key"),
    key,
    refusal,
    element("div", { class: "actions" }, element("button", { type: "submit", class: "button primary" }, "Sign in")),
  );
  const dialog = element("dialog", { "aria-labelledby": "key-title", id: "sign-in" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const response = await ask({ method: "POST", headers: { Authorization: `Bearer ${key.value.trim()}` } }).catch((problem) => problem);
      if (!response.ok) {
        byId("key-problem").textContent = response.status === 401 ? "This key does not hold." : "The service could not answer. Try again.";
        return;
      }
      await keep(response);
      dialog.remove();
      resolve();
    });
  });
}
