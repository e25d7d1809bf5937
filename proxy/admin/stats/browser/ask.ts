/** Buttons are links to a page that asks; here its form is shown in a dialog. */
export function askInDialogs(): void {
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  said.className = "said";
  document.body.append(said);
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const cancel = event.target.closest("dialog [data-cancel]");
    if (cancel !== null) {
      event.preventDefault();
      cancel.closest("dialog")?.close();
    }
    const link = event.target.closest("a[data-ask]");
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ask(link, said).catch(() => location.assign(link.href));
  });
  document.addEventListener("keydown", pressWithSpace);
}

/** What looks like a button is pressed by the space bar, too. */
function pressWithSpace(event: KeyboardEvent): void {
  const { target, key } = event;
  if (key !== " " || !(target instanceof HTMLElement) || !target.matches("a[role=button]")) return;
  event.preventDefault();
  target.click();
}

/** @param said where those who don't see the page are told what came of it */
async function ask(link: HTMLAnchorElement, said: HTMLElement): Promise<void> {
  const response = await fetch(link.href, { signal: AbortSignal.timeout(5000) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const form = page.querySelector("form");
  const heading = form?.querySelector("h1");
  if (!form || !heading) throw new Error("no question");
  heading.id = "question";
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(form);
  const { id: row = "" } = link.closest("[id]") ?? {};
  dialog.addEventListener("close", () => {
    dialog.remove();
    focusBack(link, row);
  });
  const asked = link.getAttribute("aria-label");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form)
      .then(() => {
        said.textContent = `${asked}: done`;
        dialog.close();
      })
      // What went wrong is a page of the balancer's.
      .catch(() => form.submit());
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** As the form would be sent, without leaving the page. Rejects unless it was done. */
async function send(form: HTMLFormElement): Promise<void> {
  const fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
  const body = new URLSearchParams(fields);
  const signal = AbortSignal.timeout(5000);
  const { type } = await fetch(form.action, { method: "POST", body, signal, redirect: "manual" });
  if (type !== "opaqueredirect") throw new Error("refused");
}

/** Its row may have been made anew meanwhile. */
function focusBack(link: HTMLAnchorElement, row: string): void {
  const again = link.isConnected
    ? link
    : document.getElementById(row)?.querySelector<HTMLAnchorElement>("a[data-ask]");
  again?.focus();
}
