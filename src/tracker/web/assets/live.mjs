// The live list: new events come in at the top, unless the reader is busy with the list.
import { load } from "./swap.mjs";

const BUFFER = 1000;
/** @type {EventSource | undefined} */
let source;
let watching = "";
let waiting = 0;
let lost = false;
/** @type {number | undefined} */
let timer;

function busy() {
  const list = document.getElementById("list");
  const open = document.getElementById("panel")?.dataset.open;
  return scrollY > 120 || Boolean(open) || Boolean(list?.matches(":hover")) || Boolean(list?.contains(document.activeElement));
}

/** @param {string} text */
function say(text) {
  const state = document.getElementById("live-state");
  if (state && state.textContent !== text) state.textContent = text;
}

async function refresh() {
  timer = undefined;
  waiting = 0;
  const known = new Set([...document.querySelectorAll("tr[data-event]")].map((row) => row.id));
  await load(location.href, ["main", "chart"]);
  for (const row of document.querySelectorAll("tr[data-event]")) row.classList.toggle("fresh", !known.has(row.id));
}

function show() {
  const pill = document.getElementById("pill");
  const button = pill?.querySelector("button");
  if (!pill || !button) return;
  const paused = busy();
  pill.hidden = !(paused && waiting);
  const many = waiting >= BUFFER ? `${BUFFER} or more` : String(waiting);
  button.textContent = `Paused, ${many} new. Show`;
  button.onclick = () => {
    scrollTo({ top: 0 });
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    refresh();
  };
  if (!paused && waiting && timer === undefined) timer = setTimeout(refresh, 400);
}

/**
 * Follows what the list shows, if that is wanted.
 * @param {HTMLElement | null} state
 */
export function follow(state) {
  const wanted = state?.dataset.live ? `${state.dataset.query}\n${state.dataset.zone}` : "";
  if (wanted === watching && source?.readyState !== EventSource.CLOSED) {
    if (wanted) say(lost ? "reconnecting" : "live");
    show();
    return;
  }
  source?.close();
  source = undefined;
  watching = wanted;
  waiting = 0;
  if (!wanted) return;
  const asked = new URLSearchParams({ query: state?.dataset.query ?? "", time_zone: state?.dataset.zone ?? "" });
  const opened = (source = new EventSource(`/api/v1alpha1/events/watch?${asked}`));
  opened.onopen = () => {
    say(lost ? "live, gap filled" : "live");
    lost = false;
  };
  opened.onerror = () => {
    lost = true;
    say(opened.readyState === EventSource.CLOSED ? "the feed ended: reload the page" : "reconnecting");
  };
  opened.onmessage = () => {
    waiting = Math.min(BUFFER, waiting + 1);
    show();
  };
}

addEventListener("scroll", () => { if (waiting) show(); }, { passive: true });
document.addEventListener("pointerout", () => { if (waiting) setTimeout(show, 50); });
