// Behaviour on top of pages that work without it: keyboard, bulk choice, confirmation, progress, repeated rows.
// No inline handlers (the content security policy forbids them) and nothing kept in the browser.
"use strict";

document.documentElement.classList.add("js");

const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const one = (selector, root = document) => root.querySelector(selector);

document.addEventListener("DOMContentLoaded", () => {
  stackTables();
  letKeysScroll();
  window.addEventListener("resize", letKeysScroll);
  showTabs();
  setUpRail();
  setUpDialogs();
  all("form[data-bulk]").forEach(setUpBulk);
  all("[data-progress]").forEach(pollProgress);
  all("[data-repeat]").forEach(setUpRepeat);
  all("[data-only-for]").forEach(setUpOnlyFor);
  all("textarea").forEach(growWithText);
  // Time runs to the right: on a telephone the newest bars come first.
  for (const chart of all(".chart")) chart.scrollLeft = chart.scrollWidth;
  if (document.body.dataset.keys === "on") document.addEventListener("keydown", onKey);
  one("[data-focus]")?.focus();
});

// ---- Tables on small screens: each cell is shown beside the heading of its column ----

function stackTables() {
  for (const table of all("table.table-stack")) {
    const headings = all("thead th", table).map((cell) => cell.dataset.short || cell.textContent.trim());
    for (const row of all("tbody tr:not(.group)", table)) {
      Array.from(row.cells).forEach((cell, at) => {
        if (headings[at] && cell.colSpan === 1) cell.dataset.label = headings[at];
      });
    }
    // A row of sums stands the same way, if it has a cell for each column.
    for (const row of all("tfoot tr", table)) {
      const cells = Array.from(row.cells);
      if (cells.length !== headings.length || headings.length < 4) continue;
      cells.forEach((cell, at) => {
        if (cell.tagName === "TD") cell.dataset.label = headings[at];
      });
    }
    // "display: block" takes the meaning of a table away from screen readers; the roles give it back.
    const roles = { table: [table], rowgroup: table.tBodies, row: table.rows };
    for (const [role, elements] of Object.entries(roles)) {
      for (const element of elements) element.setAttribute("role", role);
    }
    all("td", table).forEach((cell) => cell.setAttribute("role", "cell"));
    all("tbody th", table).forEach((cell) => cell.setAttribute("role", "rowheader"));
    all("thead th", table).forEach((cell) => cell.setAttribute("role", "columnheader"));
  }
}

// A box that scrolls sideways must be reachable without a mouse; one that does not scroll is no stop for Tab.
function letKeysScroll() {
  for (const box of all(".scroll, .chart")) {
    box.toggleAttribute("tabindex", false);
    if (box.scrollWidth > box.clientWidth || box.matches(".scroll-wide")) box.tabIndex = 0;
  }
}

// On a telephone the tabs scroll: the one that is open is in sight.
function showTabs() {
  for (const tab of all(".tabs a[aria-current]")) {
    const strip = tab.closest(".tabs");
    strip.scrollLeft += tab.getBoundingClientRect().right - strip.getBoundingClientRect().right + 24;
  }
}

// ---- The rail folds away behind a button on small screens ----

function setUpRail() {
  const toggle = one("[data-rail-toggle]");
  if (!toggle) return;
  const rail = toggle.closest(".rail");
  const show = (open) => {
    rail.classList.toggle("open", open);
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => show(!rail.classList.contains("open")));
  rail.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !rail.classList.contains("open")) return;
    show(false);
    toggle.focus();
  });
  const userMenu = one(".user-menu");
  userMenu?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !userMenu.open) return;
    userMenu.open = false;
    one("summary", userMenu).focus();
  });
}

// ---- Forms: ask first, then send once ----

let confirmed = null; // the button whose question was answered with yes

function setUpDialogs() {
  const dialog = one("#confirm");
  let asking = null;
  one("[data-yes]", dialog)?.addEventListener("click", () => {
    dialog.close();
    confirmed = asking;
    asking.form.requestSubmit(asking);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    const question = button?.dataset.confirm;
    if (question && confirmed !== button && dialog?.showModal) {
      event.preventDefault();
      asking = button;
      one("[data-question]", dialog).textContent = question;
      one("[data-yes]", dialog).textContent = button.textContent.trim();
      dialog.showModal();
      return;
    }
    confirmed = null;
    sendOnce(event, form);
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    if (event.target.closest("[data-print]")) window.print();
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog")?.close();
  });
  // Going back shows the page as it was left: its forms must work again.
  window.addEventListener("pageshow", () => {
    for (const form of all("form[data-sent]")) {
      delete form.dataset.sent;
      all("[aria-busy]", form).forEach((button) => button.removeAttribute("aria-busy"));
    }
  });
}

function sendOnce(event, form) {
  // Not form.method: a field of that name would stand in its place.
  if (form.getAttribute("method")?.toLowerCase() !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  // Marked, not disabled: a disabled button would not send its own name and value.
  form.dataset.sent = "1";
  event.submitter?.setAttribute("aria-busy", "true");
  // An answer that is a file leaves the page standing; let the form work again then.
  if ("download" in form.dataset) {
    setTimeout(() => {
      delete form.dataset.sent;
      event.submitter?.removeAttribute("aria-busy");
    }, 3000);
  }
}

// ---- Bulk choice ----

function setUpBulk(form) {
  const bar = one(".bulk-bar", form);
  const every = one("[data-pick-all]", form);
  const picks = () => all("[data-pick]:not(:disabled)", form);
  const refresh = () => {
    const chosen = picks().filter((pick) => pick.checked);
    for (const pick of picks()) pick.closest("tr").classList.toggle("picked", pick.checked);
    bar.toggleAttribute("data-idle", chosen.length === 0);
    const count = one("[data-count]", bar);
    count.textContent = count.dataset.count.replace("{n}", String(chosen.length));
    all("button", bar).forEach((button) => { button.disabled = chosen.length === 0; });
    if (!every) return;
    every.checked = chosen.length > 0 && chosen.length === picks().length;
    every.indeterminate = chosen.length > 0 && !every.checked;
  };
  every?.addEventListener("change", () => {
    picks().forEach((pick) => { pick.checked = every.checked; });
    refresh();
  });
  form.addEventListener("change", (event) => {
    if (event.target !== every) refresh();
  });
  // Shift-click takes the rows between.
  let last = null;
  form.addEventListener("click", (event) => {
    if (!event.target.matches("[data-pick]")) return;
    if (event.shiftKey && last) {
      const [from, to] = [picks().indexOf(last), picks().indexOf(event.target)].sort((a, b) => a - b);
      picks().slice(from, to + 1).forEach((pick) => { pick.checked = event.target.checked; });
      refresh();
    }
    last = event.target;
  });
  one("[data-pick-none]", bar)?.addEventListener("click", () => {
    picks().forEach((pick) => { pick.checked = false; });
    refresh();
    (every || picks()[0])?.focus();
  });
  window.addEventListener("pageshow", refresh);
  refresh();
}

// ---- Progress of a job: its state is on the server, so a reload loses nothing ----

function pollProgress(box) {
  const bar = one("progress", box);
  const words = one("[data-words]", box);
  let pause = 800;
  const ask = async () => {
    let job = null;
    try {
      const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
      if (answer.status === 401 || answer.status === 403) return location.reload();
      if (answer.ok) job = await answer.json();
    } catch {
      job = null; // the network is away: ask again, less often
    }
    if (job) {
      if (job.total > 0) {
        bar.max = job.total;
        bar.value = job.done;
      } else {
        bar.removeAttribute("value");
      }
      // A live region that says every step would not let one read; it speaks when its words change.
      if (words.textContent !== job.message) words.textContent = job.message;
      if (job.finished) return location.reload();
    }
    pause = Math.min(job ? pause : pause * 2, 15000);
    setTimeout(ask, pause);
  };
  ask();
}

// ---- Repeated rows of a form ("add another call") ----

function setUpRepeat(box) {
  const rows = one("[data-repeat-rows]", box);
  const template = one("template", box);
  const add = one("[data-add]", box);
  const limit = Number(box.dataset.max || 50);
  let next = rows.children.length;
  const refresh = () => {
    Array.from(rows.children).forEach((row, at) => {
      const number = one("[data-number]", row);
      if (number) number.textContent = String(at + 1);
      const remove = one("[data-remove]", row);
      if (remove) remove.hidden = rows.children.length === 1;
    });
    add.disabled = rows.children.length >= limit;
  };
  add.addEventListener("click", () => {
    const row = template.content.firstElementChild.cloneNode(true);
    for (const element of [row, ...all("*", row)]) {
      for (const attribute of Array.from(element.attributes)) {
        if (attribute.value.includes("__n__")) attribute.value = attribute.value.replaceAll("__n__", String(next));
      }
    }
    next += 1;
    rows.append(row);
    all("textarea", row).forEach(growWithText);
    refresh();
    one("input:not([type=hidden]), select, textarea", row)?.focus();
  });
  rows.addEventListener("click", (event) => {
    const remove = event.target.closest("[data-remove]");
    if (!remove) return;
    remove.closest("[data-row-of-form]").remove();
    refresh();
    add.focus();
  });
  refresh();
}

// ---- Fields that only some answers have: beside another answer they are out of reach, and not sent ----

function setUpOnlyFor(field) {
  const answers = field.dataset.onlyFor.split(" ");
  const choices = all("input[type=radio]", field.form).filter((choice) => choice.name === field.dataset.onlyWith);
  const list = all("select", field.form).find((one) => one.name === field.dataset.onlyWith);
  const refresh = () => {
    const chosen = list || choices.find((choice) => choice.checked);
    field.disabled = Boolean(chosen) && !answers.includes(chosen.value);
  };
  for (const choice of list ? [list] : choices) choice.addEventListener("change", refresh);
  window.addEventListener("pageshow", refresh);
  refresh();
}

function growWithText(area) {
  const grow = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };
  area.addEventListener("input", grow);
  if (area.value) grow();
}

// ---- Keyboard: j and k walk, Enter opens, x picks, a acts, / searches, ? explains ----

function onKey(event) {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (one("dialog[open]")) return;
  const isPick = target.matches("[data-pick], [data-pick-all]");
  // Escape leaves a search field for the rows below it, where single keys mean something again.
  if (event.key === "Escape" && target.matches("form[role='search'] input")) target.blur();
  if (target.isContentEditable || (target.matches("input, textarea, select") && !isPick)) return;
  const act = KEYS[event.key];
  if (act && act(event) !== false) event.preventDefault();
}

const rowsOfPage = () => all("table[data-rows] > tbody > tr:not(.group)").filter((row) => row.offsetParent !== null);
const cursorRow = () => one("table[data-rows] > tbody > tr.cursor");
const linkOf = (row) => one("[data-open]", row) || one("th a, td a", row);

function walk(step) {
  const rows = rowsOfPage();
  if (rows.length === 0) return false;
  const at = rows.indexOf(cursorRow());
  const row = rows[at === -1 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  cursorRow()?.classList.remove("cursor");
  row.classList.add("cursor");
  // The focus goes along, so that a screen reader reads the row and Tab continues from it.
  (linkOf(row) || one("[data-pick]", row))?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  return true;
}

const KEYS = {
  j: () => walk(1),
  k: () => walk(-1),
  Enter: (event) => {
    const row = cursorRow();
    // What has the focus answers Enter itself.
    if (!row || event.target.closest("a, button, summary")) return false;
    const link = linkOf(row);
    link?.click();
    return Boolean(link);
  },
  x: () => {
    const pick = cursorRow() && one("[data-pick]:not(:disabled)", cursorRow());
    pick?.click();
    return Boolean(pick);
  },
  a: () => {
    const action = (cursorRow() && one("[data-primary]", cursorRow())) || one(".main [data-primary]");
    action?.click();
    return Boolean(action);
  },
  "/": () => {
    const search = one("[data-search]");
    search?.focus();
    search?.select();
    return Boolean(search);
  },
  "?": () => {
    one("#shortcuts")?.showModal();
  },
};

document.addEventListener("focusin", (event) => {
  const row = event.target.closest("table[data-rows] > tbody > tr:not(.group)");
  if (!row || row === cursorRow()) return;
  cursorRow()?.classList.remove("cursor");
  row.classList.add("cursor");
});
