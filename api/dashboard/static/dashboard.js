"use strict";
// Keeps the parts marked `data-live` up to date: asks for this very page every data-refresh ms and takes
// over what differs. Nodes that stay the same stay in place, so focus, scrolling and open menus survive.
(() => {
  if (!document.body.dataset.refresh) return;
  const period = Number(document.body.dataset.refresh);
  const status = document.getElementById("live");
  const button = document.getElementById("live-switch");
  const longest = 30000;
  // while the server says by itself when something has happened, asking is only a safety net
  const calm = 15000;
  const soonest = 1000;
  let source = null;
  let asked = 0;
  let failures = 0;
  let paused = false;
  let ended = false;
  let timer = 0;

  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  function takeAttributes(node, next) {
    for (const { name } of [...node.attributes]) {
      // `open` of a menu is the reader's
      if (!next.hasAttribute(name) && name !== "open") node.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    }
  }

  function take(node, next) {
    if (node.isEqualNode(next)) return;
    if (node.nodeName !== next.nodeName) {
      node.replaceWith(next);
    } else if (node.nodeType !== Node.ELEMENT_NODE) {
      node.nodeValue = next.nodeValue;
    } else {
      takeAttributes(node, next);
      const [old, fresh] = [[...node.childNodes], [...next.childNodes]];
      fresh.forEach((child, i) => (i < old.length ? take(old[i], child) : node.append(child)));
      old.slice(fresh.length).forEach((child) => child.remove());
    }
  }

  function takePage(page) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = page.querySelector(`[data-live="${part.dataset.live}"]`);
      if (next) take(part, document.importNode(next, true));
    }
    ended = !page.body.dataset.refresh;
    button.hidden = ended;
  }

  async function ask() {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.redirected) {
      // signed out meanwhile: the server knows where to
      location.reload();
      return;
    }
    if (!answer.ok) throw new Error(answer.status);
    takePage(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }

  async function update() {
    if (paused || ended) return;
    asked = Date.now();
    if (!document.hidden) {
      try {
        await ask();
        failures = 0;
        say("");
      } catch {
        failures += 1;
        say("No connection to the server. Trying again.");
      }
    }
    const quiet = source && source.readyState === EventSource.OPEN ? calm : period;
    clearTimeout(timer);
    timer = setTimeout(update, Math.min(longest, quiet * 2 ** Math.min(failures, 5)));
  }

  function soon() {
    if (paused || ended) return;
    clearTimeout(timer);
    timer = setTimeout(update, Math.max(0, asked + soonest - Date.now()));
  }

  function listen() {
    if (!document.body.dataset.events) return;
    source = new EventSource(document.body.dataset.events);
    for (const name of ["progress", "state", "task"]) source.addEventListener(name, soon);
    source.addEventListener("end", () => {
      source.close();
      soon();
    });
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume updates" : "Pause updates";
    say(paused ? "Updates are paused." : "");
    clearTimeout(timer);
    if (!paused) update();
  });
  timer = setTimeout(update, period);
  listen();
})();
