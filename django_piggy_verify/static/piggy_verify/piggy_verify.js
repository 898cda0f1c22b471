// Optional: counts down the wait for a new code, keeps a form from being sent twice, and
// shows that a code could not be sent, that the provider refuses to send one, or that it
// wants the user to log in there again.
"use strict";
{
  const PATIENCE = 30_000; // Milliseconds: two calls of the API take less.
  const FAILURES = [400, 403, 503]; // Statuses of the code page, for scripts.
  const ASK_AFTER = [4_000, 12_000]; // Milliseconds: most failures are known by then.
  let isBusy = false; // Whether a form is under way.

  const clock = (seconds) => {
    const parts = [Math.floor(seconds / 60), seconds % 60];
    if (seconds >= 3600) parts.unshift(Math.floor(parts[0] / 60), parts.shift() % 60);
    return parts.map((part, i) => (i ? String(part).padStart(2, "0") : part)).join(":");
  };

  for (const button of document.querySelectorAll("[data-piggy-verify-ready]")) {
    const time = button.querySelector("time");
    const end = Date.now() + 1000 * parseInt(time.dateTime.slice("PT".length), 10);
    // A link that is dimmed does nothing either.
    button.addEventListener("click", (event) => {
      if (button.hasAttribute("aria-disabled")) event.preventDefault();
    });
    const timer = setInterval(() => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left > 0) {
        time.textContent = clock(left);
        return;
      }
      clearInterval(timer);
      button.textContent = button.dataset.piggyVerifyReady;
      button.removeAttribute("aria-disabled");
      button.closest("details")?.setAttribute("open", "");
    }, 1000);
  }

  for (const form of document.querySelectorAll("form[data-piggy-verify-watch]")) {
    const askWhetherSent = async () => {
      const headers = { Accept: "application/json" };
      const { status } = await fetch(form.action, { headers });
      // The answer to a form that is under way shows the failure too.
      if (FAILURES.includes(status) && !isBusy) location.assign(form.action);
    };
    for (const wait of ASK_AFTER) {
      // Without an answer, the next press of a button shows the failure.
      setTimeout(() => askWhetherSent().catch(() => {}), wait);
    }
  }

  addEventListener("submit", (event) => {
    const button = event.submitter;
    const words = button?.dataset.piggyVerifyBusy;
    if (!words || event.defaultPrevented) return;
    if (button.hasAttribute("aria-disabled")) {
      event.preventDefault();
      return;
    }
    const label = button.textContent;
    const restore = () => {
      button.textContent = label;
      button.removeAttribute("aria-disabled");
      isBusy = false;
    };
    button.textContent = words;
    button.setAttribute("aria-disabled", "true");
    isBusy = true;
    setTimeout(restore, PATIENCE);
    addEventListener("pagehide", restore, { once: true });
  });
}
