/** Buttons are links to a page that asks; here its form is shown in a dialog. */
export function askInDialogs(): void {
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
    ask(link).catch(() => location.assign(link.href));
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

async function ask(link: HTMLAnchorElement): Promise<void> {
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
  document.body.append(dialog);
  dialog.showModal();
}

/** Its row may have been made anew meanwhile. */
function focusBack(link: HTMLAnchorElement, row: string): void {
  const again = link.isConnected
    ? link
    : document.getElementById(row)?.querySelector<HTMLAnchorElement>("a[data-ask]");
  again?.focus();
}
