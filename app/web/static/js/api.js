// The JSON API, as any client sees it. Errors are RFC 9457 problem documents.

export class Problem extends Error {
  /** @param {{title?: string, detail?: string, code?: string, status?: number, errors?: {field: string, message: string}[]}} document */
  constructor(document) {
    super(document.title ?? "The service could not answer.");
    this.document = document;
  }
}

/** The problem in a failed answer, whatever its body is. */
export function problemFrom(status, text) {
  try {
    const document = JSON.parse(text);
    if (document && typeof document.title === "string") return new Problem(document);
  } catch {
    // Not JSON: a proxy's page, perhaps.
  }
  return new Problem({ title: `The server answered with status ${status}.`, detail: "Try again in a moment.", status });
}

export const unreachable = () =>
  new Problem({ title: "The service cannot be reached.", detail: "Check the connection and try again." });

/** Fetches `path`; a failed answer is thrown as a Problem. */
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" }, ...options });
  } catch {
    throw unreachable();
  }
  if (!response.ok) throw problemFrom(response.status, await response.text());
  return response;
}

export const getJson = async (path) => (await request(path)).json();
