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

let attempts = 0;
const loaded = new Map<string, Promise<RemoteModule>>();

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

async function fetchRemote(name: string): Promise<RemoteModule> {
  const entry = (await readManifest()).remotes[name]?.entry;
  if (entry === undefined) throw new Error(`no ${name} in the manifest`);
  attempts += 1;
  const address = attempts > 1 && failedBefore.has(name) ? `${entry}?attempt=${attempts}` : entry;
  registerRemotes([{ name, entry: address, type: 'module' }], { force: failedBefore.has(name) });
  failedBefore.add(name);
  const module = await loadRemote<RemoteModule>(`${name}/app`);
  if (module === null || typeof module.default !== 'function') throw new Error(`${name} has nothing to show`);
  return module;
}

const failedBefore = new Set<string>();
let manifest: Promise<Manifest> | null = null;

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
