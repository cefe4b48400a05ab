/** Keys that make a repeated POST harmless: one key an intent, kept until the intent succeeds or changes. */
import { useCallback, useRef } from 'react';

export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * `keyFor(input)` gives the same key for the same input until `settle()` is called after a success or a final refusal,
 * so that a second click or a retry after a lost answer is recognised by the server.
 */
export function useIntentKey(): { keyFor: (input: unknown) => string; settle: () => void } {
  const held = useRef<{ input: string; key: string } | null>(null);
  const keyFor = useCallback((input: unknown) => {
    const text = JSON.stringify(input);
    if (held.current?.input !== text) held.current = { input: text, key: newKey() };
    return held.current.key;
  }, []);
  const settle = useCallback(() => {
    held.current = null;
  }, []);
  return { keyFor, settle };
}
