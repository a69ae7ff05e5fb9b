// The page Now: follows the live feed while it is looked at.
import { load } from "./swap.mjs";

const PAUSE = 4000;
const AT_LEAST_EVERY = 20000;
/** @type {EventSource | undefined} */
let source;
/** @type {number | undefined} */
let timer;
let due = Infinity;
let refreshed = performance.now();

/** @param {string} text */
function say(text) {
  const feed = document.getElementById("feed");
  if (feed && feed.textContent !== text) feed.textContent = text;
}

async function refresh() {
  due = Infinity;
  refreshed = performance.now();
  const known = await load(location.href, ["main"], { quietly: true });
  if (!known) say("the server does not answer");
  plan(AT_LEAST_EVERY);
}

/** @param {number} wait Refreshes after so many milliseconds, if not earlier. */
function plan(wait) {
  const at = Math.max(refreshed + PAUSE, performance.now() + wait);
  if (at >= due) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(refresh, at - performance.now());
}

function follow() {
  const opened = (source = new EventSource("/api/v1alpha1/events/watch"));
  opened.onopen = () => say("live");
  opened.onerror = () => say(opened.readyState === EventSource.CLOSED ? "refreshed every 20 seconds" : "reconnecting");
  opened.onmessage = () => plan(0);
}

function pause() {
  source?.close();
  source = undefined;
  clearTimeout(timer);
  due = Infinity;
}

function resume() {
  pause();
  if (document.hidden) return;
  follow();
  plan(0);
}

document.addEventListener("visibilitychange", resume);
addEventListener("online", resume); // a connection that sleep has cut looks like one without news
addEventListener("offline", resume);
addEventListener("pagehide", pause);

if (!document.hidden) {
  follow();
  plan(AT_LEAST_EVERY);
}
