// Shows new mail without a reload, and copies codes. The page works without this script.
"use strict";

(() => {
  const SOON = 2000;
  const LATE = 15000;
  const box = document.querySelector("[data-sandbox-live]");
  const link = document.querySelector("[data-sandbox-refresh]");
  const status = document.querySelector("[data-sandbox-status]");
  // Compare with the HTML as it came, because showButtons() changes it.
  let shown = box.innerHTML;
  let delay = SOON;
  let isBusy = false;
  let timer;

  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  function showButtons() {
    // Browsers have a clipboard at https and at localhost only.
    for (const button of box.querySelectorAll("[data-sandbox-copy]")) {
      button.hidden = !navigator.clipboard;
    }
  }

  function show(html) {
    const hadFocus = box.contains(document.activeElement);
    shown = html;
    box.innerHTML = html;
    showButtons();
    if (hadFocus) box.querySelector("button, a")?.focus();
  }

  async function refresh() {
    if (isBusy || document.hidden) return;
    isBusy = true;
    clearTimeout(timer);
    try {
      const response = await fetch(link.href, { cache: "no-store" });
      if (!response.ok) throw new Error(response.status);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const html = page.querySelector("[data-sandbox-live]").innerHTML;
      if (html !== shown) {
        show(html);
        delay = SOON;
      }
      say("New mail appears here by itself.");
    } catch {
      say("The server does not answer. This page tries again.");
    }
    isBusy = false;
    timer = setTimeout(refresh, delay);
    // A page that nobody uses must not fill the log of the server.
    delay = Math.min(delay * 1.2, LATE);
  }

  function refreshSoon() {
    delay = SOON;
    refresh();
  }

  box.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-sandbox-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.sandboxCopy);
    button.textContent = "Copied";
    say("The code is copied.");
  });
  document.addEventListener("visibilitychange", refreshSoon);
  addEventListener("focus", refreshSoon);
  showButtons();
  refresh();
})();
