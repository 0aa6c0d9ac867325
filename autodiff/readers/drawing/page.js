"use strict";
// The picture has several ways to be folded; each has its layout (places of cards, a layer of boxes and arrows) and its
// steps. All of it was laid out when the page was written: here things are only shown, hidden, moved and said.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = name => document.getElementById(name);
const [svg, words, back, next, fold, theme] = ["picture", "words", "back", "next", "fold", "theme"].map(byId);
const layers = [...svg.querySelectorAll(".way")];
const cards = [...svg.querySelectorAll(".card")];
const intro = words.textContent;
const boxes = [...new Set(data.ways.flatMap(way => way.open))];
let way = 0, step = -1;

function lay(number, box) {
  const at = step >= 0 ? data.ways[way].steps[step] : null;
  way = number;
  const now = data.ways[way];
  const [, , width, height] = now.view;
  svg.setAttribute("viewBox", now.view.join(" "));
  svg.setAttribute("width", Math.round(width * 1.3));
  svg.setAttribute("height", Math.round(height * 1.3));
  layers.forEach((layer, i) => layer.setAttribute("display", i === way ? "inline" : "none"));
  for (const card of cards) {
    const place = now.cards[card.id];
    card.setAttribute("display", place ? "inline" : "none");
    if (place) card.setAttribute("transform", `translate(${place})`);
  }
  fold.textContent = now.open.length ? "fold all" : "unfold all";
  fold.hidden = boxes.length === 0;
  // Where the step was before, or the layer that it is folded into now.
  const place = key => now.steps.findIndex(other => other[0] === at[0] && other[2] === key);
  step = !at ? -1 : place(at[2]) >= 0 ? place(at[2]) : place(box);
  say();
}

function say() {
  svg.querySelectorAll(".now").forEach(element => element.classList.remove("now"));
  const steps = data.ways[way].steps;
  back.disabled = step < 0;
  next.disabled = step === steps.length - 1;
  words.className = "";
  words.textContent = intro;
  if (step < 0) return;
  const [direction, drawn, key, said] = steps[step];
  words.className = direction;
  words.textContent = data.words[said];
  const card = byId(drawn);
  card.classList.add("now");
  layers[way].querySelectorAll(`.${direction}[data-of="${key}"]`).forEach(arrow => arrow.classList.add("now"));
  const { top, bottom } = card.getBoundingClientRect();
  if (top < document.querySelector("header").offsetHeight || bottom > innerHeight) card.scrollIntoView({ block: "center" });
}

function go(to) {
  step = Math.max(-1, Math.min(to, data.ways[way].steps.length - 1));
  say();
}

// The way in which just these boxes are open; where none was laid out, the nearest that does as asked for one of them.
function wayWith(open, asked) {
  const distance = other => boxes.filter(box => open.includes(box) !== other.open.includes(box)).length;
  const fitting = data.ways.map((other, i) => [distance(other), i])
    .filter(([, i]) => asked === undefined || data.ways[i].open.includes(asked) === open.includes(asked));
  return fitting.sort((a, b) => a[0] - b[0])[0]?.[1] ?? way;
}

function toggle(box) {
  const { open } = data.ways[way];
  lay(wayWith(open.includes(box) ? open.filter(other => other !== box) : [...open, box], box), box);
  const shown = [...svg.querySelectorAll(`[data-box="${box}"]`)].find(element => element.getClientRects().length);
  shown?.focus();
}

function dark(on) {
  document.documentElement.dataset.theme = on ? "dark" : "light";
  theme.textContent = on ? "light" : "dark";
  theme.setAttribute("aria-pressed", on);
}

back.onclick = () => go(step - 1);
next.onclick = () => go(step + 1);
fold.onclick = () => lay(wayWith(data.ways[way].open.length ? [] : boxes));
theme.onclick = () => dark(document.documentElement.dataset.theme !== "dark");
svg.onclick = event => {
  const box = event.target.closest("[data-box]");
  if (box) toggle(box.dataset.box);
};
const KEYS = {
  ArrowRight: () => go(step + 1), ArrowDown: () => go(step + 1), ArrowLeft: () => go(step - 1), ArrowUp: () => go(step - 1),
  Home: () => go(-1), End: () => go(Infinity), f: () => fold.click(), d: () => theme.click(),
};
onkeydown = event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const box = event.target.closest("[data-box]");
  if (box && (event.key === "Enter" || event.key === " ")) toggle(box.dataset.box);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
};
const prefers = matchMedia("(prefers-color-scheme: dark)");
prefers.onchange = () => dark(prefers.matches);
dark(prefers.matches);
lay(0);
