// The ledger's table: a search box, a choice of verdicts, and headings that sort. Without this script the table is whole.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("ledger");
  const controls = document.querySelector(".ledger-controls");
  if (!table || !controls) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const verdictColumn = 2;

  const labelled = (text, element) => {
    const label = document.createElement("label");
    label.append(text, element);
    controls.append(label);
    return element;
  };
  const search = labelled("Search", Object.assign(document.createElement("input"), { type: "search" }));
  const verdict = labelled("Verdict", document.createElement("select"));
  const verdicts = [...new Set(rows.map((row) => row.cells[verdictColumn].textContent))].sort();
  verdict.append(new Option("all", ""), ...verdicts.map((text) => new Option(text, text)));
  const count = document.createElement("output");
  labelled("Shown", count);

  const text = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits =
        words.every((word) => text.get(row).includes(word)) &&
        (!verdict.value || row.cells[verdictColumn].textContent === verdict.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.value = `${shown} of ${rows.length}`;
  };
  search.addEventListener("input", filter);
  verdict.addEventListener("change", filter);

  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].textContent;
      const sorted = [...rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
      body.append(...(up ? sorted : sorted.reverse()));
    });
  });
  controls.hidden = false;
  filter();
});
