// The tools as tabs, by the keys of www.w3.org/WAI/ARIA/apg/patterns/tabs: arrows, Home and End.

const tabs = [...document.querySelectorAll("[role=tab]")];

/** Show one tool. @param {string} id of its tab */
export function show(id) {
  for (const tab of tabs) {
    const chosen = tab.id === id;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
}

export function startTabs() {
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab.id));
    tab.addEventListener("keydown", (event) => {
      const places = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in places)) return;
      event.preventDefault();
      const next = tabs[(places[event.key] + tabs.length) % tabs.length];
      show(next.id);
      next.focus();
    });
  }
}
