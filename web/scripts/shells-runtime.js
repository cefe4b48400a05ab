/** What remotes see as the federation runtime: the one that the shell brought (shell/src/runtime.ts). */
export const { getRemoteEntry, global, init, loadRemote, loadShare, registerRemotes, share } = globalThis.purserFederation;
