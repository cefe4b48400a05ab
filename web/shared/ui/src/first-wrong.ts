/** Where something is refused, by our check or by the server, the first field that is wrong takes the focus. */
import { useEffect, useReducer, useRef } from 'react';
import type { RefObject } from 'react';

/** `[where the fields are, what to call when our check refuses]`; `error` is the server's refusal, drawn at its fields with this render. */
export function useFirstWrong<T extends HTMLElement>(error: unknown): [RefObject<T | null>, () => void] {
  const area = useRef<T>(null);
  const [refusals, refused] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (refusals > 0 || error) area.current?.querySelector<HTMLElement>('[aria-invalid=true]:not(:disabled)')?.focus();
  }, [refusals, error]);
  return [area, refused];
}
