// Starts the page: loads the facts once, then each tool.

import { startCompareTool } from "./compare_tool.js";
import { code, el } from "./dom.js";
import { startErrorTool } from "./error_tool.js";
import { loadFacts } from "./facts.js";
import { startTabs } from "./tabs.js";
import { startTokenTool } from "./token_tool.js";

const server = document.getElementById("server");

startTabs();
try {
  const facts = await loadFacts();
  startTokenTool(facts);
  startCompareTool(facts);
  startErrorTool(facts);
  server.textContent = facts.policy ? "Checks by the policy it was started with" : "No policy: checks only what needs none";
  document.getElementById("policy").replaceChildren(policyCard(facts));
  document.documentElement.dataset.ready = "true";
} catch {
  server.textContent = "The page could not be loaded whole. Load it again.";
}

// A page that is left keeps no token for the way back.
addEventListener("pagehide", () => {
  for (const box of document.querySelectorAll("textarea")) box.value = "";
});

/** What a token must say to be accepted; shown where no token is. */
function policyCard({ policy, values }) {
  const title = el("h2", policy ? "Accepted are tokens of" : "No policy was given");
  if (!policy) {
    return el("section.policy", title, el("p.hint", "Tokens are explained, and judged as far as that goes without one. To have them judged, start it with a policy: ",
      el("code", "tokenward inspect --databricks --tenant TENANT_ID"), "."));
  }
  return el("section.policy", title, ...policy.map(({ issuer, audiences, tenants }) => {
    const one = Array.isArray(tenants) && tenants.length === 1 ? issuer.replace("{tenantid}", tenants[0]) : issuer;
    const names = audiences.map((audience) => el("span.chip", code(audience), values[audience] ? el("span.known", values[audience]) : null));
    return el("div", el("p", code(one)), el("p.hint", "for ", ...names));
  }));
}
