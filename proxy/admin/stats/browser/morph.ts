/** Makes `from` look like `to`, changing only what differs, so that focus, selection and scrolling survive. */
export function morph(from: Node, to: Node): void {
  if (from.isEqualNode(to)) return;
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
    from.parentNode?.replaceChild(to.cloneNode(true), from);
    return;
  }
  if (from instanceof Text && to instanceof Text) from.data = to.data;
  if (!(from instanceof Element && to instanceof Element)) return;
  // What the script itself fills in.
  if (from.hasAttribute("data-keep") && from.id === to.id) return;
  morphAttributes(from, to);
  morphChildren(from, to);
}

function morphAttributes(from: Element, to: Element): void {
  for (const { name } of [...from.attributes]) {
    // Whether something is unfolded is the reader's choice.
    if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

/** By place; what has an id by its id, so that a row that comes or goes leaves the others as they are. */
function morphChildren(from: Element, to: Element): void {
  const wanted = new Set([...to.children].map(({ id }) => id));
  for (const child of [...from.children]) if (child.id !== "" && !wanted.has(child.id)) child.remove();
  let place = from.firstChild;
  for (const fresh of [...to.childNodes]) {
    const target = placeFor(fresh, from, place);
    place = target.nextSibling;
    morph(target, fresh);
  }
  while (place !== null) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** The child of `from`, at `place`, that is to become `fresh`. */
function placeFor(fresh: ChildNode, from: Element, place: ChildNode | null): ChildNode {
  const known = fresh instanceof Element && fresh.id !== "" ? childWithId(from, fresh.id) : null;
  if (known !== null) return known === place ? known : from.insertBefore(known, place);
  const isOther = place instanceof Element && place.id !== "";
  return place === null || isOther ? from.insertBefore(fresh.cloneNode(true) as ChildNode, place) : place;
}

function childWithId(parent: Element, id: string): Element | null {
  return [...parent.children].find((child) => child.id === id) ?? null;
}
