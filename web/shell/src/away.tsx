/** While the server is away: a calm word instead of a page, and what goes on by itself once it is back. */
import { useEffect } from 'react';
import { isPassing, retryDelayMs, retrySession } from '@purser/api';
import { Button, EmptyState, Icon, Page, useQueryClient } from '@purser/ui';
import type { Query } from '@purser/ui';

/** Who this is cannot be found out yet; nobody is signed out by that. */
export function AwayPage() {
  return (
    <Page>
      <div role="status">
        <EmptyState icon="wifi" title="Can’t reach the server" text="You are still signed in. This page opens by itself as soon as the server is back."
          action={<Button variant="default" leftSection={<Icon name="refresh" />} onClick={retrySession}>Try now</Button>} />
      </div>
    </Page>
  );
}

/** Pages that gave up on a server that was away are asked for again when it is ready; until then they stand still. */
export function useRecovery(): void {
  const client = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let here = true;
    let failures = 0;
    const gaveUp = { type: 'active', predicate: ({ state }: Query) => state.status === 'error' && isPassing(state.error) } as const;
    const waiting = () => client.getQueryCache().findAll(gaveUp).length > 0;
    const look = async () => {
      if (waiting() && (await isReady())) await client.refetchQueries(gaveUp);
      failures = waiting() ? failures + 1 : 0;
      timer = undefined;
      follow();
    };
    const follow = () => {
      if (here && waiting()) timer ??= setTimeout(() => void look(), retryDelayMs(failures + 2, null));
    };
    const stop = client.getQueryCache().subscribe(follow);
    return () => {
      here = false;
      stop();
      clearTimeout(timer);
    };
  }, [client]);
}

async function isReady(): Promise<boolean> {
  try {
    return (await fetch('/health/ready')).ok;
  } catch {
    return false;
  }
}
