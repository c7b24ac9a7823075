// Keeps the status page current, and opens details and searches in place. Without it, links and the form load the page.
"use strict";
(() => {
  const INTERVAL = 15000, PAUSE = 200, OPEN_AT_MOST = 20;
  const PARTS = ["summary", "list", "end"];
  const form = document.querySelector("form");
  // What the reader asked for last. The address and the links follow only when the response is there.
  const wanted = new URLSearchParams(location.search);
  let latest = 0, typing;

  // What the reader looks at, which must not move: the line with the focus, or else the first open one in view.
  const place = () =>
    document.activeElement.closest("li") ||
    [...document.querySelectorAll("li.open")].find(line => line.getBoundingClientRect().bottom > 0);

  async function show() {
    const mine = ++latest;
    const query = String(wanted) && `?${wanted}`;
    let text;
    try {
      const response = await fetch(location.pathname + query, {cache: "no-store"});
      if (!response.ok) throw new Error(response.status);
      text = await response.text();
    } catch {
      if (mine === latest) document.getElementById("lost").hidden = false;
      return;
    }
    if (mine !== latest) return;
    const page = new DOMParser().parseFromString(text, "text/html");
    history.replaceState(null, "", location.pathname + query);
    if (!form !== !page.querySelector("form")) return location.reload();
    const before = place(), top = before?.getBoundingClientRect().top, focused = before?.contains(document.activeElement);
    for (const part of PARTS) document.getElementById(part).replaceWith(page.getElementById(part));
    document.title = page.title;
    const after = before && document.getElementById(before.id);
    if (!after) return;
    if (focused) after.querySelector("a").focus({preventScroll: true});
    scrollBy({top: after.getBoundingClientRect().top - top, behavior: "instant"});
  }

  function want(key, value) {
    if (value) wanted.set(key, value); else wanted.delete(key);
  }

  function toggle(line) {
    const key = line.id.slice(1), keys = wanted.getAll("open");
    const others = keys.filter(other => other !== key);
    wanted.delete("open");
    if (others.length === keys.length) others.push(key);
    for (const other of others.slice(-OPEN_AT_MOST)) wanted.append("open", other);
  }

  function typed() {
    clearTimeout(typing);
    if (form) want("search", form.elements.search.value.trim());
  }

  document.addEventListener("click", event => {
    const link = event.target.closest("li > a, .tally a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    typed();
    if (link.parentElement.id) toggle(link.parentElement);
    else want("state", new URLSearchParams(link.search).get("state"));
    show();
  });

  function search() {
    const before = wanted.get("search");
    typed();
    if (wanted.get("search") !== before) show();
  }

  form?.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, PAUSE);
  });
  form?.addEventListener("submit", event => {
    event.preventDefault();
    search();
  });

  function refresh() {
    if (!document.hidden && getSelection().isCollapsed) show();
  }

  setInterval(refresh, INTERVAL);
  document.addEventListener("visibilitychange", refresh);
})();
