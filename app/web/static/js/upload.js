// The upload page: choose or drop a file, send it with its options, go to its report.

import { getJson, problemFrom, unreachable } from "./api.js";
import { byId, element, formatBytes, plainName, showProblem } from "./dom.js";
import { authorised, signedIn } from "./session.js";

const EXAMPLE = { path: "/static/examples/stuck-cnn.keras", name: "stuck-cnn.keras" };

const form = byId("upload");
const input = byId("file");
const drop = byId("drop");
const submit = byId("submit");
const example = byId("example");
const cancel = byId("cancel");

let chosen = null;
let sending = null;
let largest = Infinity;

function announce(text) {
  byId("announce").textContent = text;
}

function choose(file) {
  chosen = file;
  byId("problem").replaceChildren();
  byId("chosen").textContent = `${plainName(file.name)} (${formatBytes(file.size)})`;
  byId("submit-hint").textContent = "";
  drop.classList.add("filled");
  submit.disabled = false;
  announce(`${plainName(file.name)} chosen.`);
  if (file.size > largest) {
    fail({ document: { title: "This file is larger than the limit.", detail: `It has ${formatBytes(file.size)}; at most ${formatBytes(largest)} are taken. Save it without the optimizer: model.save(path, include_optimizer=False).` } });
    submit.disabled = true;
  }
}

function fail(problem) {
  showProblem(byId("problem"), problem);
}

/** The form as the API takes it; empty fields are left out, so that the file's own settings hold. */
function body(file) {
  const data = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (name !== "file" && value.trim() !== "") data.append(name, value.trim());
  }
  data.append("file", file, file.name);
  return data;
}

function busy(on) {
  submit.disabled = on || chosen === null;
  example.disabled = on;
  input.disabled = on;
  cancel.hidden = !on;
  byId("progress").hidden = !on;
}

function showProgress({ loaded, total, lengthComputable }) {
  if (!lengthComputable) return;
  const share = Math.floor((100 * loaded) / total);
  byId("progress-bar").value = share;
  byId("progress-figure").textContent = `${formatBytes(loaded)} of ${formatBytes(total)}`;
  byId("progress-text").textContent = share < 100 ? `Uploading, ${share} %` : "Uploaded; waiting for the answer";
}

function send(file) {
  byId("problem").replaceChildren();
  const request = new XMLHttpRequest();
  sending = request;
  request.open("POST", "/v1/diagnoses");
  for (const [name, value] of Object.entries(authorised({ Accept: "application/json" }))) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", showProgress);
  request.addEventListener("load", () => {
    if (request.status < 200 || request.status > 299) {
      busy(false);
      fail(problemFrom(request.status, request.responseText));
      return;
    }
    location.assign(`/diagnoses/${encodeURIComponent(JSON.parse(request.responseText).id)}`);
  });
  request.addEventListener("error", () => {
    busy(false);
    fail(unreachable());
  });
  request.addEventListener("abort", () => {
    busy(false);
    announce("Upload cancelled.");
  });
  busy(true);
  announce("Uploading.");
  request.send(body(file));
}

async function sendExample() {
  try {
    const response = await fetch(EXAMPLE.path);
    if (!response.ok) throw problemFrom(response.status, "");
    const file = new File([await response.blob()], EXAMPLE.name);
    choose(file);
    send(file);
  } catch (problem) {
    fail(problem.document ? problem : unreachable());
  }
}

const days = (count) => (count === 1 ? "one day" : count < 1 ? `${Math.round(24 * count)} hours` : `${Number(count.toFixed(1))} days`);

async function showLimits() {
  const limits = await getJson("/v1/limits");
  largest = limits.upload_bytes;
  byId("upload-limit").textContent = `, up to ${formatBytes(largest)}`;
  byId("retention").textContent = `The file, its report and the repaired model are deleted after ${days(limits.retention_days)}, or at once when you delete the report.`;
}

async function showRecent() {
  const { diagnoses } = await getJson("/v1/diagnoses?limit=8");
  const rows = diagnoses.map((item) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("a", { href: `/diagnoses/${encodeURIComponent(item.id)}` }, plainName(item.file_name, 60))),
      element("td", {}, new Date(item.created_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })),
      element("td", {}, item.status),
    ),
  );
  byId("recent-rows").replaceChildren(...rows);
  byId("recent").hidden = rows.length === 0;
}

input.addEventListener("change", () => input.files.length && choose(input.files[0]));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen === null) return;
  if (!form.checkValidity()) {
    form.querySelector("details").open = true;
    form.reportValidity();
    return;
  }
  send(chosen);
});
example.addEventListener("click", sendExample);
cancel.addEventListener("click", () => sending?.abort());

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const file = event.dataTransfer?.files[0];
  if (file && !input.disabled) choose(file);
});

// Neither is needed to upload: without them the page only says less.
Promise.allSettled([showLimits(), signedIn().then(showRecent)]);
