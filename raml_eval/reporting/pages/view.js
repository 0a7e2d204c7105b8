"use strict";
// Shows the draws of one run, or of two side by side. Texts are only ever set as text, never parsed as markup.
const WINDOW = 100; // links in the list at a time
const KEPT = 8; // files of draws in memory at a time
const STATUS = { c: "correct", i: "incorrect", n: "no_answer", u: "unfinished", t: "timeout", "-": "missing" };
const SIGN = { c: "✓", i: "✗", n: "∅", u: "…", t: "T", "-": "·" };
const STEERING = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const byId = (id) => document.getElementById(id);

let index = null; // what index.js holds
let matches = []; // numbers of the draws that the filters let through
let at = -1; // place of the shown draw in matches
let first = 0; // place of the first link in the list
let needle = "";
let asked = 0; // number of the newest search, so that older ones stop
const pages = new Map();
const waiting = new Map();

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function escapeCharacter(character) {
  const code = character.codePointAt(0);
  const digits = code.toString(16);
  return code < 0x100 ? "\\x" + digits.padStart(2, "0") : code < 0x10000 ? "\\u" + digits.padStart(4, "0") : "\\U" + digits.padStart(8, "0");
}

// The text in pieces: what could steer the display is written as an escape, and what was searched for is marked.
function pieces(text) {
  const found = [];
  let last = 0;
  const plain = (part) => {
    const lower = part.toLowerCase();
    let from = 0;
    // Lower case of a few letters has another length; then nothing is marked rather than the wrong place.
    if (needle && lower.length === part.length)
      for (let i = lower.indexOf(needle); i >= 0; i = lower.indexOf(needle, from)) {
        found.push(part.slice(from, i), make("mark", "", part.slice(i, i + needle.length)));
        from = i + needle.length;
      }
    found.push(part.slice(from));
  };
  for (const match of text.matchAll(STEERING)) {
    plain(text.slice(last, match.index));
    found.push(make("span", "escaped", escapeCharacter(match[0])));
    last = match.index + match[0].length;
  }
  plain(text.slice(last));
  return found.filter((piece) => piece !== "");
}

const block = (text) => make("pre", "text", ...pieces(text));
const oneLine = (text) => pieces(String(text).replace(/\s+/g, " "));

// ---- files of draws

function raml_page(number, content) {
  pages.set(number, content);
}

function loadPage(number) {
  if (pages.has(number)) {
    const content = pages.get(number);
    pages.delete(number); // the file that was used last is dropped last
    pages.set(number, content);
    return Promise.resolve(content);
  }
  if (!waiting.has(number))
    waiting.set(
      number,
      new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = `page_${number}.js`;
        script.onload = () => (pages.has(number) ? done(pages.get(number)) : fail(new Error(`page_${number}.js is broken`)));
        script.onerror = () => fail(new Error(`page_${number}.js cannot be read`));
        document.head.append(script);
        const end = () => {
          script.remove();
          waiting.delete(number);
          while (pages.size > KEPT) pages.delete(pages.keys().next().value);
        };
        script.addEventListener("load", end);
        script.addEventListener("error", end);
      })
    );
  return waiting.get(number);
}

function pageOf(draw) {
  let low = 0, high = index.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (index.starts[middle] <= draw) low = middle;
    else high = middle - 1;
  }
  return low;
}

function findDraw(content, number, draw) {
  let place = draw - index.starts[number];
  for (const part of content) {
    if (place < part.draws.length) return { question: part.question, draw: part.draws[place] };
    place -= part.draws.length;
  }
  throw new Error(`draw ${draw} is not in page_${number}.js`);
}

async function loadDraw(draw) {
  const number = pageOf(draw);
  return findDraw(await loadPage(number), number, draw);
}

// ---- filters

const letters = (run, draw) => index.letters[run].substr(draw * index.budgets.length, index.budgets.length);

// Whether the draw turns from wrong to right ("gained") or from right to wrong ("lost") as its budget in tokens grows: at the
// budget in this place, held against the next smaller one that has a sample, or, if it is below 0, at any.
function flipsOf(told, budget) {
  let gained = false, lost = false, before = null;
  for (const cap of index.caps) {
    const now = told[cap];
    if (now === "-") continue;
    const counts = budget < 0 || cap === budget;
    if (counts && before !== null && before !== "c" && now === "c") gained = true;
    if (counts && before === "c" && now !== "c") lost = true;
    before = now;
  }
  return { gained, lost };
}

// The budgets at which the second run alone is right ("gained") or the first run alone ("lost").
function differsAt(draw, budget) {
  const [a, b] = [letters(0, draw), letters(1, draw)];
  const places = budget < 0 ? index.budgets.map((_, place) => place) : [budget];
  const both = places.filter((place) => a[place] !== "-" && b[place] !== "-");
  return { gained: both.some((p) => a[p] !== "c" && b[p] === "c"), lost: both.some((p) => a[p] === "c" && b[p] !== "c") };
}

const wanted = (kind, { gained, lost }) => (kind === "gained" ? gained : kind === "lost" ? lost : gained || lost);

function readFilters() {
  const number = (id) => Number(byId(id).value);
  return { task: number("task"), budget: number("budget"), status: byId("status").value, side: number("side"), flip: byId("flip").value, differ: byId("differ").value };
}

function fits(draw, chosen) {
  if (chosen.task >= 0 && index.questions[index.of[draw]][0] !== chosen.task) return false;
  const sides = index.letters.map((_, run) => run).filter((run) => chosen.side < 0 || run === chosen.side);
  const told = sides.map((run) => letters(run, draw));
  if (chosen.status || chosen.budget >= 0) {
    const here = told.map((text) => (chosen.budget < 0 ? text : text[chosen.budget]));
    const fitting = (text) => (chosen.status ? text.includes(chosen.status) : /[^-]/.test(text));
    if (!here.some(fitting)) return false;
  }
  if (chosen.flip && !told.some((text) => wanted(chosen.flip, flipsOf(text, chosen.budget)))) return false;
  return !chosen.differ || wanted(chosen.differ, differsAt(draw, chosen.budget));
}

function* textsOf({ question, draw }) {
  yield question.id;
  for (const [, text] of question.messages) yield text;
  yield* question.options;
  yield question.gold;
  for (const run of draw.runs) {
    if (!run) continue;
    for (const thinking of run.thinkings) yield thinking.parts.join("");
    yield* run.answers;
    for (const sample of run.samples) if (sample.extracted) yield sample.extracted;
  }
}

// ---- the address: TASK/ID/SAMPLE, then ? and the filters that are set, by name

const FILTERS = { task: "task", budget: "budget", status: "status", side: "in", flip: "flip", differ: "differ", search: "text" };

function filterText() {
  const told = new URLSearchParams();
  for (const [id, name] of Object.entries(FILTERS)) {
    const field = byId(id);
    if (id === "search" ? field.value : field.selectedIndex > 0) told.set(name, wellFormed(id === "search" || id === "side" ? field.value : names(id).get(field.value)));
  }
  const text = String(told);
  return text && "?" + text;
}

// What the address calls each value of a filter: the words, which mean the same when the folder is written again.
function names(id) {
  const options = Array.from(byId(id).options).map((option) => option.value);
  const word = { task: (value) => index.tasks[value], budget: (value) => index.budgets[value], status: (value) => STATUS[value] }[id];
  return new Map(options.map((value) => [value, word ? word(value) : value]));
}

// Sets the filters as the address says; the result tells what it says that is not here.
function readAddress() {
  const [place, , rest] = location.hash.slice(1).match(/^([^?]*)(\?(.*))?$/s).slice(1);
  const told = new URLSearchParams(rest || "");
  const strange = [...told.keys()].filter((name) => !Object.values(FILTERS).includes(name)).map((name) => `a filter ${name}`);
  for (const [id, name] of Object.entries(FILTERS)) {
    const field = byId(id);
    const asked = told.get(name);
    if (id === "search") {
      field.value = asked || "";
      continue;
    }
    const found = asked === null ? undefined : [...names(id)].find(([, word]) => word !== undefined && wellFormed(word) === asked);
    field.selectedIndex = found ? Array.from(field.options).findIndex((option) => option.value === found[0]) : 0;
    if (asked !== null && !found) strange.push(`${name} ${asked}`);
  }
  const draw = place ? fromPlace(place) : undefined;
  if (place && draw === undefined) strange.unshift(`a draw ${spoken(place)}`);
  return { draw, strange };
}

function spoken(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function followAddress() {
  const { draw, strange } = readAddress();
  tell("");
  await applyFilters(draw, false);
  const told = strange.length ? [`The address asks for ${strange.join(", ")}, which this page does not have.`] : [];
  if (draw !== undefined && !matches.includes(draw)) told.push(`The draw ${addressOf(draw).join("/")} does not fit the filters.`);
  if (told.length && matches.length) told.push("The first match is shown.");
  tell(told.join(" "));
}

function tell(text) {
  byId("told").hidden = !text;
  byId("told").replaceChildren(...oneLine(text));
}

async function applyFilters(keep, byHand = true) {
  if (byHand) tell("");
  const search = ++asked;
  const chosen = readFilters();
  const shown = keep === undefined ? matches[at] : keep;
  needle = byId("search").value.toLowerCase();
  const candidates = index.samples.map((_, draw) => draw).filter((draw) => fits(draw, chosen));
  if (!needle) {
    matches = candidates;
    showMatches(shown, "");
    return;
  }
  matches = [];
  let done = 0, told = 0;
  for (let from = 0; from < candidates.length; ) {
    const number = pageOf(candidates[from]);
    let content;
    try {
      content = await loadPage(number);
    } catch (error) {
      content = null;
      console.warn(error.message);
    }
    if (search !== asked) return;
    for (; from < candidates.length && pageOf(candidates[from]) === number; from++, done++) {
      if (!content) continue;
      for (const text of textsOf(findDraw(content, number, candidates[from])))
        if (text.toLowerCase().includes(needle)) {
          matches.push(candidates[from]);
          break;
        }
    }
    if (performance.now() - told > 200) {
      told = performance.now();
      byId("count").textContent = `${matches.length} found, searched ${done} of ${candidates.length}`;
      await new Promise((resume) => setTimeout(resume));
      if (search !== asked) return;
    }
  }
  showMatches(shown, "");
}

function showMatches(shown) {
  const n = index.samples.length;
  byId("count").textContent = matches.length === n ? `${n.toLocaleString("en")} draws` : `${matches.length.toLocaleString("en")} of ${n.toLocaleString("en")} draws`;
  const place = matches.indexOf(shown);
  if (matches.length) select(place >= 0 ? place : 0);
  else {
    at = -1;
    first = 0;
    drawList();
    setAddress("#" + filterText());
    byId("draw").replaceChildren(make("p", "message", "No draw fits the filters."));
  }
}

// ---- the list

function lights(draw) {
  const box = make("span", "lights");
  index.letters.forEach((_, run) => {
    const told = Array.from(letters(run, draw));
    const line = make("span", "", ...told.map((letter) => make("span", "light " + (letter === "-" ? "m" : letter), SIGN[letter])));
    line.setAttribute("role", "img");
    line.setAttribute("aria-label", told.map((letter, place) => `${index.budgets[place]} ${STATUS[letter]}`).join(", "));
    box.append(line);
  });
  return box;
}

// A lone surrogate has no place in an address.
const wellFormed = (text) => text.replace(/\p{Cs}/gu, "\ufffd");

function addressOf(draw) {
  const [task, id] = index.questions[index.of[draw]];
  return [index.tasks[task], id, String(index.samples[draw])].map(wellFormed);
}

const hashOf = (draw, filters) => "#" + addressOf(draw).map(encodeURIComponent).join("/") + filters;

function setAddress(hash) {
  try {
    history.replaceState(null, "", hash);
  } catch {
    // a browser may forbid it for files
  }
}

function drawList() {
  const list = byId("list");
  const focused = list.contains(document.activeElement);
  const filters = filterText();
  const links = matches.slice(first, first + WINDOW).map((draw, place) => {
    const [task, id] = index.questions[index.of[draw]];
    // The number of the sample is never cut off: it is what tells the draws of a question apart.
    const name = make("span", "name", make("span", "which", ...oneLine(`${index.tasks[task]}/${id}`)), make("span", "number", ` · ${index.samples[draw]}`));
    const link = make("a", "", name, lights(draw));
    link.setAttribute("href", hashOf(draw, filters));
    if (first + place === at) link.setAttribute("aria-current", "true");
    link.addEventListener("click", (event) => {
      event.preventDefault();
      tell("");
      select(first + place);
    });
    return make("li", "", link);
  });
  list.replaceChildren(...links);
  const current = list.querySelector("[aria-current]");
  if (current) {
    if (focused) current.focus({ preventScroll: true });
    const [box, row] = [list.getBoundingClientRect(), current.getBoundingClientRect()];
    if (row.top < box.top) list.scrollTop -= box.top - row.top;
    if (row.bottom > box.bottom) list.scrollTop += row.bottom - box.bottom;
  }
  byId("earlier").disabled = first === 0;
  byId("later").disabled = first + WINDOW >= matches.length;
  byId("window").textContent = matches.length ? `${first + 1}–${Math.min(first + WINDOW, matches.length)}` : "";
}

function turn(step) {
  first = Math.max(0, Math.min(first + step, Math.floor((matches.length - 1) / WINDOW) * WINDOW));
  drawList();
}

function select(place) {
  if (place < 0 || place >= matches.length) return;
  at = place;
  if (at < first || at >= first + WINDOW) first = Math.floor(at / WINDOW) * WINDOW;
  drawList();
  const draw = matches[at];
  setAddress(hashOf(draw, filterText()));
  loadDraw(draw).then(
    (loaded) => matches[at] === draw && showDraw(loaded),
    (error) => matches[at] === draw && byId("draw").replaceChildren(make("p", "message", error.message))
  );
}

// ---- start

function fill(id, options) {
  const made = options.map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  });
  byId(id).replaceChildren(...made);
}

function fromPlace(place) {
  let parts;
  try {
    parts = place.split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
  if (parts.length !== 3) return undefined;
  const found = index.samples.findIndex((_, draw) => addressOf(draw).every((part, place) => part === parts[place]));
  return found < 0 ? undefined : found;
}

function raml_index(content) {
  index = content;
  const two = index.runs.length > 1;
  document.title = index.runs.map((run) => run.name).join(" and ") + ": samples";
  byId("title").replaceChildren(...oneLine(index.runs.map((run) => `${run.name} (${run.model}, ${run.engine})`).join("  and  ")));
  const signs = Object.keys(STATUS).map((key) => make("span", "", make("span", `light ${key === "-" ? "m" : key}`, SIGN[key]), STATUS[key]));
  byId("legend").replaceChildren(...signs, make("span", "", ...oneLine(`budgets ${index.budgets.join(", ")}`)));
  const flips = [["", "any"], ["flip", "flips"], ["gained", "wrong, then right"], ["lost", "right, then wrong"]];
  fill("task", [[-1, "all"], ...index.tasks.map((name, place) => [place, name])]);
  fill("budget", [[-1, "any"], ...index.budgets.map((name, place) => [place, name])]);
  fill("status", [["", "any"], ...Object.keys(STATUS).map((key) => [key, STATUS[key]])]);
  fill("flip", flips);
  fill("side", [[-1, "either run"], ...index.runs.map((run, place) => [place, run.name])]);
  fill("differ", [["", "any"], ["differ", "differ"], ["gained", "only the second right"], ["lost", "only the first right"]]);
  byId("flip-field").hidden = index.caps.length < 2;
  byId("side-field").hidden = byId("differ-field").hidden = !two;
  let timer = 0;
  for (const id of ["task", "budget", "status", "side", "flip", "differ"]) byId(id).addEventListener("change", () => applyFilters());
  byId("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => applyFilters(), 250);
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("earlier").addEventListener("click", () => turn(-WINDOW));
  byId("later").addEventListener("click", () => turn(WINDOW));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    } else if (event.key === "/") {
      event.preventDefault();
      byId("search").focus();
    }
  });
  window.addEventListener("hashchange", followAddress);
  followAddress();
}
