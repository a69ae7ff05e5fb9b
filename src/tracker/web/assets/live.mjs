// The live list: new events come in at the top, unless the reader is busy with the list.
import { load } from "./swap.mjs";

const BUFFER = 1000;
const LIVE = "live";
const SHORTEST = 1000;
const LONGEST = 30000;
/** @type {EventSource | undefined} */
let source;
let watching = "";
let waiting = 0;
let lost = false;
let note = LIVE;
let missed = false;
let position = "";
let wait = SHORTEST;
/** @type {number | undefined} */
let later;
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
  missed = false;
  const known = new Set([...document.querySelectorAll("tr[data-event]")].map((row) => row.id));
  await load(location.href, ["main", "chart"], { quietly: true });
  for (const row of document.querySelectorAll("tr[data-event]")) row.classList.toggle("fresh", !known.has(row.id));
}

function show() {
  const pill = document.getElementById("pill");
  const button = pill?.querySelector("button");
  if (!pill || !button) return;
  const paused = busy();
  pill.hidden = !(paused && (waiting || (missed && note !== LIVE)));
  const many = waiting >= BUFFER ? `${BUFFER} or more` : String(waiting);
  button.textContent = waiting ? `Paused, ${many} new. Show` : "Paused, after a gap. Show";
  button.onclick = () => {
    scrollTo({ top: 0 });
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    refresh();
  };
  if (!paused && (waiting || missed) && timer === undefined) timer = setTimeout(refresh, 400);
}

function listen() {
  const [query, zone] = watching.split("\n");
  const asked = new URLSearchParams({ query, time_zone: zone });
  if (position) asked.set("resume_token", position);
  const address = `/api/v1alpha1/events/watch?${asked}`;
  const opened = (source = new EventSource(address));
  opened.onopen = () => {
    if (lost) note = "live, gap filled";
    say(note);
    lost = false;
    wait = SHORTEST;
    missed = !position; // what came between the list and this moment
    show();
  };
  opened.onerror = () => {
    if (opened !== source) return;
    lost = true;
    say("reconnecting");
    if (opened.readyState === EventSource.CLOSED) later = setTimeout(() => again(address), wait);
  };
  opened.onmessage = (event) => {
    position = event.lastEventId;
    waiting = Math.min(BUFFER, waiting + 1);
    show();
  };
}

/**
 * Listens again after the browser gave up, as it does where a proxy answers for a server that is away.
 * @param {string} address
 */
async function again(address) {
  const tried = new AbortController();
  const status = await fetch(address, { signal: tried.signal }).then((answer) => answer.status, () => 0);
  tried.abort(); // its headers say enough
  if (!watching) return;
  if (status === 401 || status === 403) return say("the feed ended: log in again");
  if (status && status < 500 && status !== 429) {
    if (status !== 200 || !position) { // what was missed is forgotten, or nobody knows since when
      position = "";
      lost = false;
      note = "live, after a gap";
    }
    return listen();
  }
  wait = Math.min(2 * wait, LONGEST);
  later = setTimeout(() => again(address), wait);
}

/**
 * Follows what the list shows, if that is wanted.
 * @param {HTMLElement | null} state
 */
export function follow(state) {
  const wanted = state?.dataset.live ? `${state.dataset.query}\n${state.dataset.zone}` : "";
  if (wanted === watching) {
    if (wanted) say(lost ? "reconnecting" : note);
    show();
    return;
  }
  source?.close();
  clearTimeout(later);
  source = undefined;
  watching = wanted;
  position = "";
  waiting = 0;
  lost = false;
  note = LIVE;
  if (wanted) listen();
}

/** Listens anew when the network comes or goes: a connection that sleep has cut looks like one without news. */
function renew() {
  if (!watching) return;
  source?.close();
  clearTimeout(later);
  lost = true;
  say("reconnecting");
  listen();
}
addEventListener("online", renew);
addEventListener("offline", renew);

addEventListener("scroll", () => { if (waiting) show(); }, { passive: true });
document.addEventListener("pointerout", () => { if (waiting) setTimeout(show, 50); });
