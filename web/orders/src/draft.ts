/** What is typed at the checkout outlives a reload and a sign-in, in this tab. */
import { useEffect, useState } from 'react';

export function useDraft<T extends object>(key: string, initial: T): [T, (change: Partial<T>) => void, () => void] {
  const [draft, setDraft] = useState<T>(() => ({ ...initial, ...stored<T>(key) }));
  useEffect(() => {
    try {
      sessionStorage.setItem(key, JSON.stringify(draft));
    } catch {
      // Without storage the draft lasts as long as the page.
    }
  }, [key, draft]);
  const change = (part: Partial<T>) => setDraft((old) => ({ ...old, ...part }));
  const clear = () => setDraft(initial);
  return [draft, change, clear];
}

function stored<T>(key: string): Partial<T> {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(key) ?? '{}');
    return value !== null && typeof value === 'object' ? (value as Partial<T>) : {};
  } catch {
    return {};
  }
}
