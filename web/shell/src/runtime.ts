/** What joins packages is fetched once: remotes are built to find it here (scripts/shells-runtime.js) and bring none of their own. */
import { getRemoteEntry, init, loadRemote, loadShare, registerRemotes } from '@module-federation/runtime';
import { global, share } from '@module-federation/runtime/helpers';

Object.assign(globalThis, { purserFederation: { getRemoteEntry, global, init, loadRemote, loadShare, registerRemotes, share } });
