/** Where each micro front end is, read at run time: one can be deployed anew without the others. */
import { loadRemote, registerRemotes } from '@module-federation/runtime';
import type { ComponentType } from 'react';

export interface RemoteModule {
  default: ComponentType;
  /** Shown in the header of every page, if there is one. */
  HeaderItem?: ComponentType;
}

interface Manifest {
  remotes: Record<string, { entry: string }>;
}

const RENEW_AT_MOST_EVERY_MS = 5000;

const loaded = new Map<string, Promise<RemoteModule>>();
const registered = new Map<string, string>();
const renewed = new Map<string, number>();
let attempts = 0;
let manifest: Promise<Manifest> | null = null;

/** Loads a micro front end once; a failure is forgotten, so that the next call tries again from the manifest on. */
export function loadRemoteModule(name: string): Promise<RemoteModule> {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const loading = fetchRemote(name);
  loaded.set(name, loading);
  loading.catch(() => {
    loaded.delete(name);
    manifest = null;
  });
  return loading;
}

/** Whether another version than the one in this page is there now; the next load brings it. Throws if that cannot be known. */
export async function renewRemote(name: string): Promise<boolean> {
  manifest = null;
  const before = renewed.get(name);
  if (before !== undefined && Date.now() - before < RENEW_AT_MOST_EVERY_MS) return false;
  if ((await entryOf(name)) === registered.get(name)) return false;
  renewed.set(name, Date.now());
  loaded.delete(name);
  return true;
}

/** The manifest of this page may be of a deployment that is gone meanwhile: then what there is now is loaded. */
async function fetchRemote(name: string): Promise<RemoteModule> {
  try {
    return await loadEntry(name, await entryOf(name));
  } catch (error) {
    manifest = null;
    const now = await entryOf(name);
    if (now === registered.get(name)) throw error;
    return loadEntry(name, now);
  }
}

async function loadEntry(name: string, entry: string): Promise<RemoteModule> {
  attempts += 1;
  const again = registered.has(name);
  const address = registered.get(name) === entry ? `${entry}?attempt=${attempts}` : entry;
  registered.set(name, entry);
  registerRemotes([{ name, entry: address, type: 'module' }], { force: again });
  const module = await loadRemote<RemoteModule>(`${name}/app`);
  if (module === null || typeof module.default !== 'function') throw new Error(`${name} has nothing to show`);
  return module;
}

async function entryOf(name: string): Promise<string> {
  const entry = (await readManifest()).remotes[name]?.entry;
  if (entry === undefined) throw new Error(`no ${name} in the manifest`);
  return entry;
}

function readManifest(): Promise<Manifest> {
  manifest ??= fetch('/manifest.json').then((response) => {
    if (!response.ok) throw new Error(`manifest: ${response.status}`);
    return response.json() as Promise<Manifest>;
  });
  manifest.catch(() => {
    manifest = null;
  });
  return manifest;
}
