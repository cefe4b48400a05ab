/** A page whose code is fetched when it is first shown. What could not be had is thrown, and tried again when it is drawn anew. */
import { useEffect, useState } from 'react';
import type { ComponentType } from 'react';

export function lazyPage(load: () => Promise<{ default: ComponentType }>): ComponentType {
  let known: ComponentType | null = null;
  return function LazyPage() {
    const [{ Found, error }, setState] = useState<{ Found: ComponentType | null; error?: unknown }>({ Found: known });
    useEffect(() => {
      if (known !== null) return;
      load().then((module) => {
        known = module.default;
        setState({ Found: known });
      }, (reason: unknown) => setState({ Found: null, error: reason ?? new Error('nothing was loaded') }));
    }, []);
    if (error !== undefined) throw error;
    return Found && <Found />;
  };
}
