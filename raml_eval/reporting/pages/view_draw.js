// Shows one draw: the question, and each run's verdicts, thinking and answers.

function statusChip(status) {
  const letter = Object.keys(STATUS).find((key) => STATUS[key] === status) || "m";
  return make("span", `status ${letter}`, `${SIGN[letter] || ""} ${status}`);
}

const count = (number, noun) => (number === undefined || number === null ? "not counted" : `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`);

function thinkingOf(run, sample) {
  const thinking = run.thinkings[sample.thinking];
  const of = thinking && thinking.drawn !== null && sample.kept !== undefined && sample.kept < thinking.drawn ? ` of ${thinking.drawn}` : "";
  return sample.kept === undefined ? "" : `${sample.kept}${of}`;
}

function whyGraded(sample) {
  const words = [];
  if (sample.rule) words.push(`found by rule ${sample.rule}`);
  if (sample.detail) words.push(`decided by ${sample.detail}`);
  if (sample.score !== undefined) words.push(`score ${sample.score}`);
  if (sample.was) words.push(`stored as ${sample.was}, regraded since`);
  return words.join("; ");
}

function flipMark(before, now) {
  if (!before || (before.status === "correct") === (now.status === "correct")) return [];
  return [make("span", "flip", now.status === "correct" ? "↑ gained" : "↓ lost")];
}

function verdictTable(run, other, otherName, chosen) {
  const head = ["budget", "status", "thinking", "extracted"];
  const groups = [];
  let before = null;
  for (const sample of run.samples) {
    const twin = other && other.samples.find((one) => one.budget === sample.budget);
    const status = make("td", "", statusChip(sample.status));
    if (index.caps.includes(sample.budget)) {
      const marks = flipMark(before, sample);
      marks.forEach((mark) => (mark.title = "against the next smaller budget"));
      status.append(...marks.flatMap((mark) => [" ", mark]));
      before = sample;
    }
    if (twin && (twin.status === "correct") !== (sample.status === "correct")) {
      const mark = make("span", "flip", "⇄");
      mark.title = "the other run's verdict differs";
      mark.setAttribute("aria-label", `${otherName} differs`);
      mark.setAttribute("role", "img");
      status.append(" ", mark);
    }
    const budget = make("th", "", index.budgets[sample.budget]);
    budget.scope = "rowgroup";
    budget.rowSpan = 2;
    const ended = `thinking ended ${sample.end}${sample.leak ? ", goes on in the answer" : ""}`;
    const answer = sample.finish ? `answer ${count(sample.tokens, "token")} (${sample.finish})` : "no answer drawn";
    const more = make("td", "more", ...oneLine([ended, answer, whyGraded(sample)].filter(Boolean).join("; ")));
    more.colSpan = head.length - 1;
    const extracted = sample.extracted === undefined ? make("td", "m", "nothing") : make("td", "words", ...oneLine(sample.extracted));
    const cells = [budget, status, make("td", "count", thinkingOf(run, sample)), extracted];
    groups.push(make("tbody", sample.budget === chosen ? "chosen" : "", make("tr", "main", ...cells), make("tr", "", more)));
  }
  const heads = head.map((name) => {
    const cell = make("th", "", name);
    cell.scope = "col";
    return cell;
  });
  const table = make("table", "", make("thead", "", make("tr", "", ...heads)), ...groups);
  const box = make("div", "table", table);
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Verdicts by budget");
  return box;
}

const namesOf = (samples) => samples.map((sample) => index.budgets[sample.budget]).join(", ");

function thinkingBlock(run, thinking, own, chosen) {
  const box = make("pre", "text");
  const kept = own.find((sample) => sample.budget === chosen)?.kept;
  const limit = chosen >= 0 && kept !== undefined ? kept : Infinity;
  thinking.parts.forEach((part, place) => {
    const from = place ? thinking.counts[place - 1] : 0;
    box.append(make("span", from >= limit ? "beyond" : "", ...pieces(part)));
    if (place < thinking.counts.length) {
      const tokens = thinking.counts[place];
      const cutters = own.filter((sample) => sample.kept === tokens);
      box.append(make("span", "cut", `✂ ${namesOf(cutters)}: cut after ${count(tokens, "token")}`));
    }
  });
  const drawn = thinking.drawn === null ? "not counted" : count(thinking.drawn, "token");
  const ended = thinking.end === "natural" ? "ended by itself" : thinking.end === "length" ? "still open" : thinking.end;
  const title = make("h3", "", `Thinking for ${namesOf(own)}: ${drawn}, ${ended}`);
  const told = thinking.seed === null ? [] : [make("p", "role", `seed ${thinking.seed}`)];
  if (!thinking.cut) {
    const cuts = own.filter((sample) => sample.kept !== undefined && sample.kept < thinking.drawn).map((sample) => `${index.budgets[sample.budget]} after ${count(sample.kept, "token")}`);
    told.push(make("p", "role", `Cut at ${cuts.join(", ")}. The places are not shown, because the model's tokenizer was not found, or does not give this text (raml-eval view --tokenizer FOLDER names one).`));
  }
  return [title, ...told, box];
}

function side(run, other, place, chosen) {
  const section = make("section", "");
  if (index.runs.length > 1) section.append(make("h2", "", ...oneLine(index.runs[place].name)));
  if (!run) {
    section.append(make("p", "", "This run has no such draw."));
    return section;
  }
  section.append(verdictTable(run, other, index.runs[1 - place]?.name, chosen));
  run.thinkings.forEach((thinking, number) => section.append(...thinkingBlock(run, thinking, run.samples.filter((sample) => sample.thinking === number), chosen)));
  run.answers.forEach((answer, number) => {
    const own = run.samples.filter((sample) => sample.answer === number);
    const dim = chosen >= 0 && !own.some((sample) => sample.budget === chosen);
    section.append(make("h3", "", `Answer at ${namesOf(own)} `, ...[...new Set(own.map((sample) => sample.status))].map(statusChip)));
    const shown = block(answer.replace(/^\n+|\n+$/g, ""));
    if (dim) shown.classList.add("beyond");
    const whys = own.map((sample) => `extracted ${sample.extracted === undefined ? "nothing" : sample.extracted}${whyGraded(sample) ? `; ${whyGraded(sample)}` : ""}`);
    section.append(shown, ...[...new Set(whys)].map((why) => make("p", "role", ...oneLine(why))));
  });
  return section;
}

function questionBlock(question) {
  const box = make("section", "");
  for (const [role, text] of question.messages) box.append(make("p", "role", ...oneLine(role)), block(text));
  if (question.options.length) box.append(make("p", "role", "options"), block(question.options.join("\n")));
  box.append(make("p", "role", `gold, graded as ${question.grader}`), block(question.gold));
  if (question.tests) {
    const tests = make("details", "", make("summary", "", "tests"), block(question.tests));
    box.append(tests);
  }
  return box;
}

function button(text, key, act, disabled) {
  const made = make("button", "", text, " ", make("kbd", "", key));
  made.type = "button";
  made.disabled = disabled;
  made.addEventListener("click", act);
  return made;
}

function showDraw({ question, draw }) {
  const chosen = readFilters().budget;
  const title = make("h2", "", ...oneLine(`${question.task}/${question.id}, sample ${draw.sample}`));
  const place = make("span", "", `${(at + 1).toLocaleString("en")} of ${matches.length.toLocaleString("en")}`);
  const steps = make("div", "", button("Previous", "k", () => step(-1), at === 0), button("Next", "j", () => step(1), at === matches.length - 1));
  const sides = draw.runs.map((run, number) => side(run, draw.runs.length > 1 ? draw.runs[1 - number] : null, number, chosen));
  const main = byId("draw");
  const focused = Array.from(main.querySelectorAll(".bar button")).indexOf(document.activeElement);
  main.replaceChildren(make("div", "bar", title, place, steps), questionBlock(question), make("h3", "", "Verdicts"), make("div", "sides", ...sides));
  if (focused >= 0) main.querySelectorAll(".bar button")[focused].focus(); // the button that was pressed can be pressed again
  main.scrollTop = 0;
}

function step(by) {
  tell("");
  select(Math.max(0, Math.min(at + by, matches.length - 1)));
}
