// The list of locks, kept up to date: they come and go without an event, so the server is asked every few seconds.
import { load } from "./swap.mjs";

const EVERY = 5000;

function busy() {
  const list = document.getElementById("locks");
  return document.hidden || Boolean(list?.contains(document.activeElement)) || Boolean(list?.matches(":hover"));
}

let reached = true;

function say() {
  const state = document.getElementById("live-state");
  const text = !reached ? "the server does not answer" : busy() ? "paused while you point at the list" : "up to date";
  if (state && state.textContent !== text) state.textContent = text;
}

setInterval(async () => {
  if (busy()) return;
  reached = await load(location.href, ["main"], { quietly: true });
  say();
}, EVERY);
document.addEventListener("pointerover", say);
document.addEventListener("focusin", say);
document.addEventListener("swapped", say);
say();
