/** What a form can know before the server is asked. */

export function emailProblem(email: string): string | null {
  return /^\S+@\S+\.\S+$/.test(email.trim()) ? null : 'Enter an email address';
}

export function passwordProblem(password: string): string | null {
  if (password.length < 8) return 'Use at least 8 characters';
  return password.length > 256 ? 'Use at most 256 characters' : null;
}

export function nameProblem(name: string): string | null {
  return name.trim() === '' ? 'Enter your name' : null;
}

/** Where to go after signing in: only ever an address of our own. */
export function safeNext(next: string | null): string {
  if (next === null || !/^\/(?![/\\])/.test(next)) return '/';
  return /^\/(sign-in|register)\b/.test(next) ? '/' : next;
}

/** "Firefox on Linux" from a browser's long name for itself. */
export function deviceName(agent: string | null | undefined): string {
  if (!agent) return 'Unknown device';
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(agent)?.[1];
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1];
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', 'Mac OS X': 'macOS' };
  const parts = [browser, system].filter((part) => part !== undefined).map((part) => names[part] ?? part);
  return parts.length > 0 ? parts.join(' on ') : agent.slice(0, 60);
}
