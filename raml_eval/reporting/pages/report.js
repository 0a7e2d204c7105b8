"use strict";
// Sorts and filters the tables. Without this script, every table is there in its first order.
for (const box of document.querySelectorAll(".table")) {
  const table = box.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  if (rows.length < 2) continue;
  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.hasAttribute("data-v") ? Number(cell.getAttribute("data-v")) : cell.textContent.trim();
  };
  // Numbers come before texts, and cells without a value come last in both directions.
  const rank = (v) => (typeof v === "number" ? 0 : v === "" || v === "n/a" ? 2 : 1);
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });

  const status = document.createElement("span");
  status.setAttribute("role", "status");
  const whole = `${rows.length} rows`;
  status.textContent = whole;

  const sort = (column) => {
    const before = heads[column].getAttribute("aria-sort");
    const numeric = rows.some((row) => rank(value(row, column)) === 0);
    const order = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
    const now = before === order[0] ? order[1] : before === order[1] ? null : order[0];
    for (const head of heads) head.removeAttribute("aria-sort");
    if (now) heads[column].setAttribute("aria-sort", now);
    const sorted = rows.map((row, place) => [row, place]);
    if (now)
      sorted.sort(([x, i], [y, j]) => {
        const a = value(x, column), b = value(y, column);
        const told = rank(a) - rank(b) || compare(a, b) * (now === "ascending" || rank(a) === 2 ? 1 : -1);
        return told || i - j;
      });
    body.append(...sorted.map(([row]) => row));
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    const marks = head.querySelector("sup");
    button.append(...Array.from(head.childNodes).filter((node) => node !== marks));
    head.prepend(button);
    button.addEventListener("click", () => sort(column));
  });

  const tools = document.createElement("div");
  tools.className = "tools";
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "search";
  input.setAttribute("autocomplete", "off");
  input.setAttribute("spellcheck", "false");
  input.setAttribute("aria-description", table.caption.textContent);
  label.append("Filter rows", input);
  tools.append(label, status);
  box.prepend(tools);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, i) => {
      const fits = words.every((word) => texts[i].includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    status.textContent = words.length ? `${shown} of ${rows.length} rows` : whole;
  });
}
