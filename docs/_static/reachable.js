// What scrolls sideways can be reached with the keyboard: such boxes are stops of the tab key.
const BOXES = "article pre, article p, article table, article .table-wrapper, article .math-wrapper, article mjx-container[display]";

const reach = () => {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX === "auto") box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  reach();
  addEventListener("resize", reach);
});
