/** What one user has seen is forgotten before the next signs in. */
import { useEffect, useRef } from 'react';
import { useUser } from '@purser/api';
import { useQueryClient } from '@purser/ui';

export function useForgetOnSignOut(): void {
  const client = useQueryClient();
  const id = useUser()?.id ?? null;
  const before = useRef(id);
  useEffect(() => {
    if (before.current !== null && before.current !== id) client.clear();
    before.current = id;
  }, [client, id]);
}
