/** What to do in a page of a deployment that is gone: load what is there now, or the whole page anew, once. */
import { renewRemote } from './manifest';

const RELOADED = 'purser.reloaded-for';
const FILES = /"(\/assets\/shell\/[^"]+\.js)"/g;

/** True if another version of the micro front end can be drawn; false leaves it to the reader. May load the page anew. */
export async function mendRemote(name: string): Promise<boolean> {
  if (await renewRemote(name)) return true;
  const page = await (await fetch('/', { headers: { Accept: 'text/html' } })).text();
  const files = [...page.matchAll(FILES)].map(([, file]) => file!);
  if (!files.every(isRunning) && firstReloadFor(files.join())) location.reload();
  return false;
}

function isRunning(file: string): boolean {
  return document.querySelector(`[src="${file}"], [href="${file}"]`) !== null;
}

function firstReloadFor(files: string): boolean {
  try {
    if (sessionStorage.getItem(RELOADED) === files) return false;
    sessionStorage.setItem(RELOADED, files);
    return true;
  } catch {
    return false;
  }
}
