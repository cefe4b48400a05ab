import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { mendRemote } from '../src/deployment';
import { loadRemoteModule } from '../src/manifest';

const runtime = vi.hoisted(() => ({ loadRemote: vi.fn(), registerRemotes: vi.fn() }));
vi.mock('@module-federation/runtime', () => runtime);

const SCHEME = '/assets/shell/scheme-1.js';
const running = page('/assets/shell/main-1.js');
const deployed = page('/assets/shell/main-2.js');

/** What the server has; an Error in place of the page is a server that is away. */
const there = { entry: '/assets/orders/entry-1.js', page: '' as string | Error };
let pagesAsked: number;

function page(main: string): string {
  return `<!doctype html><head><script src="${SCHEME}"></script><script type="module" crossorigin src="${main}"></script>`
    + '<link rel="modulepreload" crossorigin href="/assets/shell/c-1.js"><link rel="stylesheet" href="/assets/shell/main-1.css"></head>';
}

/** Puts what a page names into the document, as elements that fetch nothing. */
function show(text: string) {
  for (const [, attribute, file] of text.matchAll(/(src|href)="([^"]+)"/g)) {
    const mark = document.createElement('meta');
    mark.setAttribute(attribute!, file!);
    document.head.append(mark);
  }
}

beforeEach(async () => {
  Object.assign(there, { entry: '/assets/orders/entry-1.js', page: running });
  pagesAsked = 0;
  vi.stubGlobal('fetch', async (address: string) => {
    if (address === '/manifest.json') return Response.json({ remotes: { orders: { entry: there.entry } } });
    expect(address).toBe('/');
    pagesAsked += 1;
    if (there.page instanceof Error) throw there.page;
    return new Response(there.page);
  });
  runtime.loadRemote.mockResolvedValue({ default: () => null });
  vi.spyOn(location, 'reload').mockReturnValue(undefined);
  show(running);
  await loadRemoteModule('orders');
});
afterEach(() => {
  vi.restoreAllMocks();
  document.head.replaceChildren();
});

it('leaves a page alone whose shell is the one that is there', async () => {
  expect(await mendRemote('orders')).toBe(false);
  expect(pagesAsked).toBe(1);
  expect(location.reload).not.toHaveBeenCalled();
});

it('loads the page anew for another shell, once for each', async () => {
  there.page = deployed;
  expect(await mendRemote('orders')).toBe(false);
  expect(location.reload).toHaveBeenCalledTimes(1);
  await mendRemote('orders');
  expect(location.reload).toHaveBeenCalledTimes(1);
  there.page = page('/assets/shell/main-3.js');
  await mendRemote('orders');
  expect(location.reload).toHaveBeenCalledTimes(2);
});

it('takes an answer that is not the page for no shell at all', async () => {
  there.page = '<h1>Please sign in to this network</h1>';
  expect(await mendRemote('orders')).toBe(false);
  expect(location.reload).not.toHaveBeenCalled();
});

it('does not load anew what it could not remember having loaded anew', async () => {
  there.page = deployed;
  vi.stubGlobal('sessionStorage', { getItem: () => null, setItem: () => { throw new DOMException('full', 'QuotaExceededError'); }, clear: () => undefined });
  expect(await mendRemote('orders')).toBe(false);
  expect(location.reload).not.toHaveBeenCalled();
});

it('says so while the server is away, and loads nothing anew', async () => {
  there.page = new TypeError('failed to fetch');
  await expect(mendRemote('orders')).rejects.toThrow('failed to fetch');
  expect(location.reload).not.toHaveBeenCalled();
});

it('keeps the page where a newer micro front end is enough', async () => {
  Object.assign(there, { entry: '/assets/orders/entry-2.js', page: deployed });
  expect(await mendRemote('orders')).toBe(true);
  expect(pagesAsked).toBe(0);
  expect(location.reload).not.toHaveBeenCalled();
  await loadRemoteModule('orders');
  expect(runtime.registerRemotes).toHaveBeenLastCalledWith([expect.objectContaining({ entry: '/assets/orders/entry-2.js' })], { force: true });
});
