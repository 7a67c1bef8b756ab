// The page of one diagnosis: follows it while it runs, then shows the report.
//
// The report's markup is the API's own HTML rendering, put into the page; what needs a script is added here.

import { getJson, Problem, request } from "./api.js";
import { drawLoss, liveLoss } from "./charts.js";
import { byId, copyText, element, formatNumber, plainName, showProblem } from "./dom.js";
import { authorised, signedIn } from "./session.js";

const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const RETRY_MS = 1500;
const RESTART = { href: "/", label: "Upload another file" };

const id = document.body.dataset.diagnosis;
const base = `/v1/diagnoses/${encodeURIComponent(id)}`;

let pushLoss = null;
let source = null;

function showProgress({ stage, fraction = 0, message = "", step = null, loss = null }) {
  const stages = [...byId("stages").children];
  const now = stages.findIndex((item) => item.dataset.stage === stage);
  stages.forEach((item, index) => {
    item.classList.toggle("done", index < now);
    item.classList.toggle("now", index === now);
    if (index === now) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  byId("live-bar").value = fraction;
  byId("live-figure").textContent = `${Math.round(100 * fraction)} %`;
  if (message) byId("live-message").textContent = message;
  if (step === null || loss === null) return;
  byId("live-loss").hidden = false;
  byId("live-loss-value").textContent = `${formatNumber(loss)} at step ${step}`;
  pushLoss ??= liveLoss(byId("live-chart"));
  pushLoss(step, loss);
}

function addCopyButton(article) {
  const code = article.querySelector('[data-slot="code"]');
  const slot = article.querySelector('[data-slot="fix-actions"]');
  if (!code || !slot) return;
  const button = element("button", { type: "button", class: "button", id: "copy-code" }, "Copy the repaired program");
  button.addEventListener("click", async () => {
    const before = button.textContent;
    try {
      await copyText(code.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copying is not allowed here: select the program below";
      code.closest("details").open = true;
    }
    setTimeout(() => {
      button.textContent = before;
    }, 2000);
  });
  slot.append(button);
}

function addDownload(article) {
  const fix = article.querySelector("#fix");
  if (!fix?.dataset.repairedModel) return;
  const link = element("a", { class: "button primary", href: `${base}/repaired-model`, download: "", id: "download-model" }, "Download the repaired model");
  fix.querySelector('[data-slot="fix-actions"]').append(link);
}

function addLossPicture(article) {
  const figure = article.querySelector("#loss");
  if (!figure) return;
  const readout = element("p", { class: "muted readout" }, "\u00a0");
  const place = figure.querySelector(".plot");
  const description = place.querySelector("svg").getAttribute("aria-label");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", description);
  figure.querySelector(".legend").before(readout);
  drawLoss(place, JSON.parse(figure.dataset.loss), (text) => {
    readout.textContent = text || "\u00a0";
  });
}

async function showReport({ moveFocus }) {
  const html = await (await request(`${base}/report?format=html`, { headers: { Accept: "text/html" } })).text();
  const parsed = document.createElement("template"); // inert: its style sheet is not applied, nothing runs
  parsed.innerHTML = html;
  const article = document.adoptNode(parsed.content.querySelector("article"));
  byId("content").replaceChildren(article);
  document.title = parsed.content.querySelector("title").textContent;
  byId("live").hidden = true;
  byId("toolbar").hidden = false;
  addDownload(article);
  addCopyButton(article);
  addLossPicture(article);
  if (moveFocus) byId("content").focus({ preventScroll: true });
}

function showEnd(job) {
  byId("live").hidden = true;
  if (job.status === "cancelled") {
    showProblem(byId("problem"), new Problem({ title: "This diagnosis was cancelled." }), [RESTART]);
    return;
  }
  document.title = "Diagnosis failed - unstuck";
  showProblem(byId("problem"), new Problem(job.error ?? { title: "The diagnosis failed." }), [RESTART]);
  byId("toolbar").hidden = false;
  byId("toolbar").querySelector(".formats").hidden = true;
}

async function finish(job, moveFocus) {
  source?.close();
  if (job.status === "succeeded") await showReport({ moveFocus });
  else showEnd(job);
}

/** Shows the state as the API tells it; true when the diagnosis has ended. */
async function refresh(moveFocus) {
  const job = await getJson(base);
  const until = new Date(job.expires_at).toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
  byId("kept").textContent = `${plainName(job.file_name, 60)}, kept until ${until}`;
  if (ENDED.has(job.status)) {
    await finish(job, moveFocus);
    return true;
  }
  byId("live").hidden = false;
  if (job.progress) showProgress(job.progress);
  return false;
}

/** Follows the events; whenever the stream ends or breaks, the diagnosis itself is asked. */
function follow() {
  source = new EventSource(`${base}/events`);
  const onProgress = (event) => showProgress(JSON.parse(event.data));
  source.addEventListener("progress", onProgress);
  const again = (delay) => () => {
    source.close();
    setTimeout(() => guarded(async () => (await refresh(true)) || follow()), delay);
  };
  source.addEventListener("done", again(0));
  source.addEventListener("error", again(RETRY_MS));
}

async function guarded(action) {
  try {
    await action();
  } catch (problem) {
    source?.close();
    byId("live").hidden = true;
    showProblem(byId("problem"), problem, [RESTART]);
  }
}

function askToDelete() {
  byId("confirm-problem").textContent = "";
  byId("confirm").showModal();
}

async function erase() {
  byId("confirm-delete").disabled = true;
  try {
    await request(base, { method: "DELETE", headers: authorised() });
    source?.close();
    location.assign("/");
  } catch (problem) {
    byId("confirm-delete").disabled = false;
    byId("confirm-problem").textContent = problem.message;
  }
}

byId("delete").addEventListener("click", askToDelete);
byId("stop").addEventListener("click", askToDelete);
byId("confirm-delete").addEventListener("click", erase);

guarded(async () => {
  await signedIn();
  (await refresh(false)) || follow();
});
