/** Where the focus goes when what has it is gone. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepFocus } from '../src/focus';

let stop: () => void;

beforeEach(() => {
  document.body.innerHTML = `
    <main tabindex="-1"><h1>Page</h1>
      <section><h2>Sessions</h2><ul><li id="row"><button id="end">End</button></li></ul></section>
      <ul><li><a id="link" href="/x">One</a><button id="read">Mark as read</button></li></ul>
      <button id="all">Mark all</button>
    </main>
    <div role="dialog"><button id="confirm">Confirm</button></div>`;
  stop = keepFocus();
});
afterEach(() => stop());

const one = (id: string) => document.getElementById(id) as HTMLButtonElement;
const focused = () => document.activeElement?.id || document.activeElement?.textContent;
const settles = (want: string) => vi.waitFor(() => expect(focused()).toBe(want), { timeout: 60_000 });

test('a row that vanishes: the heading of its list', async () => {
  one('end').focus();
  one('row').remove();
  await settles('Sessions');
});

test('a button that vanishes from a row: the link of the row', async () => {
  one('read').focus();
  one('read').remove();
  await settles('link');
});

test('a dialog whose opener is gone: the heading that the opener was under', async () => {
  one('end').focus();
  one('confirm').focus();
  one('row').remove();
  document.querySelector('[role=dialog]')!.remove();
  await settles('Sessions');
});

test('a dialog that did not give it back: what opened it', async () => {
  one('end').focus();
  one('confirm').focus();
  document.querySelector('[role=dialog]')!.remove();
  await settles('end');
});

test('a button that has nothing more to do: the heading of the page', async () => {
  one('all').focus();
  one('all').disabled = true;
  one('all').blur();
  await settles('Page');
});

test('a button at work has it again when it is done', async () => {
  const button = one('all');
  button.focus();
  button.blur();
  button.dataset['loading'] = 'true';
  button.disabled = true;
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  expect(document.activeElement).toBe(document.body);
  delete button.dataset['loading'];
  button.disabled = false;
  await settles('all');
});

test('a button whose work was short has it again, too, and so it does when it is pressed again', async () => {
  const button = one('all');
  button.focus();
  button.dispatchEvent(new Event('pointerdown', { bubbles: true }));
  button.blur();
  button.dataset['loading'] = 'true';
  button.disabled = true;
  await new Promise((resolve) => { setTimeout(resolve, 0); });
  delete button.dataset['loading'];
  button.disabled = false;
  await settles('all');
});

test('who pointed at nothing keeps it nowhere', async () => {
  one('end').focus();
  one('end').blur();
  document.dispatchEvent(new Event('pointerdown'));
  one('row').remove();
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  expect(document.activeElement).toBe(document.body);
});
