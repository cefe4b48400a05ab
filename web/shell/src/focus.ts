/**
 * Focus is never lost: where what has it goes away or can be used no more, a heading of what is around it takes it, or a link of the same
 * row. What closes gives it back to what opened it by itself; this is for openers that are gone.
 */
const PATIENCE_MS = 60; // in which it is given back

/** From now on, until the function that it gives is called. */
export function keepFocus(): () => void {
  let around: Element[] = []; // what has the focus, and what that is in, innermost first
  let outside: Element[] = []; // the same of what had it before a dialog
  let awaited = false; // it was lost by a button that is at work, and comes back
  let timer: ReturnType<typeof setTimeout> | undefined;

  const note = ({ target }: FocusEvent) => {
    around = pathOf(target as Element);
    if ((target as Element).closest('dialog, [role=dialog]') === null) outside = around;
    awaited = false;
  };
  /** Who points at nothing wants the focus nowhere. */
  const forget = ({ target }: Event) => {
    if (!isLost() && document.activeElement!.contains(target as Node)) return; // pressed again: no `focusin` comes of it
    around = outside = [];
  };
  const look = () => {
    timer = undefined;
    const [last] = around;
    if (last === undefined || !isLost()) return;
    if (isAtWork(last)) return;
    if (!isUsable(last)) focusOn(refuge(around) ?? openerOf(outside) ?? refuge(outside) ?? document.querySelector('main'));
    else if (awaited) focusOn(last);
  };
  const observer = new MutationObserver(() => {
    awaited ||= around[0] !== undefined && isAtWork(around[0]); // at once: the work may be done before anybody looks
    timer ??= setTimeout(look, PATIENCE_MS);
  });

  document.addEventListener('focusin', note);
  document.addEventListener('pointerdown', forget, true);
  observer.observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] });
  return () => {
    document.removeEventListener('focusin', note);
    document.removeEventListener('pointerdown', forget, true);
    observer.disconnect();
    clearTimeout(timer);
  };
}

function pathOf(element: Element): Element[] {
  const path: Element[] = [];
  for (let one: Element | null = element; one !== null && one !== document.body; one = one.parentElement) path.push(one);
  return path;
}

function isLost(): boolean {
  const has = document.activeElement;
  return has === null || has === document.body || has.matches(':disabled');
}

function isUsable(element: Element): boolean {
  return element.isConnected && !element.matches(':disabled');
}

function openerOf([opener]: Element[]): Element | null {
  return opener !== undefined && isUsable(opener) ? opener : null;
}

function isAtWork(element: Element): boolean {
  return element.isConnected && element.matches('[data-loading]:disabled');
}

function refuge(path: Element[]): Element | null {
  for (const one of path.slice(1)) {
    const found = one.isConnected ? one.querySelector(one.matches('li, tr') ? 'h1, h2, a[href]' : 'h1, h2') : null;
    if (found !== null) return found;
  }
  return null;
}

function focusOn(element: Element | null): void {
  if (!(element instanceof HTMLElement)) return;
  if (!element.matches('a, button, input, select, textarea, [tabindex]')) element.tabIndex = -1;
  element.focus();
}
