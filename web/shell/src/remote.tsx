/** A place for a micro front end: a skeleton while it loads, a fallback if it cannot be had or breaks. */
import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { retryDelayMs } from '@purser/api';
import { EmptyState, Button, Page, Skeleton, Stack } from '@purser/ui';
import { Boundary } from './boundary';
import { mendRemote } from './deployment';
import { loadRemoteModule } from './manifest';
import type { RemoteModule } from './manifest';

export function RemotePage({ name, title }: { name: string; title: string }) {
  const [attempt, setAttempt] = useState(0);
  const again = () => setAttempt((count) => count + 1);
  const fallback = (
    <Page>
      <EmptyState icon="wifi" title={`${title} can’t be shown right now`} text="The rest of Purser works. Try again in a moment."
        action={<Button variant="default" onClick={again}>Try again</Button>} />
    </Page>
  );
  return (
    <Boundary key={attempt} fallback={<Broken name={name} fallback={fallback} again={again} />}>
      <Loaded name={name} fallback={fallback} />
    </Boundary>
  );
}

/** What a micro front end puts in the header; nothing, quietly, if it cannot be had. */
export function RemoteHeaderItem({ name }: { name: string }) {
  const { module } = useRemote(name);
  const Item = module?.HeaderItem;
  return <Boundary fallback={null}>{Item ? <Item /> : null}</Boundary>;
}

function Loaded({ name, fallback }: { name: string; fallback: ReactNode }) {
  const { module, failed } = useRemote(name);
  if (failed) return fallback;
  if (module === null) return <PageSkeleton />;
  const App = module.default;
  return <App />;
}

/** A page that broke may be of a deployment that is gone: then the one that is there takes its place. */
function Broken({ name, fallback, again }: { name: string; fallback: ReactNode; again: () => void }) {
  const [hopeless, setHopeless] = useState(false);
  useEffect(() => {
    let here = true;
    mendRemote(name).then((mended) => {
      if (!here) return;
      if (mended) again();
      else setHopeless(true);
    }, () => here && setHopeless(true));
    return () => {
      here = false;
    };
  // Once for each break.
  }, []);
  return hopeless ? fallback : <PageSkeleton />;
}

/** Goes on trying while the micro front end cannot be had. */
function useRemote(name: string): { module: RemoteModule | null; failed: boolean } {
  const [state, setState] = useState<{ module: RemoteModule | null; failed: boolean }>({ module: null, failed: false });
  useEffect(() => {
    let here = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const load = () => void loadRemoteModule(name).then(
      (module) => here && setState({ module, failed: false }),
      () => {
        if (!here) return;
        setState({ module: null, failed: true });
        failures += 1;
        timer = setTimeout(load, retryDelayMs(failures + 1, null));
      },
    );
    load();
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, [name]);
  return state;
}

export function PageSkeleton() {
  return (
    <Page>
      <div role="status" aria-label="Loading">
        <Stack>
          <Skeleton height={34} width={220} />
          <Skeleton height={200} radius="lg" />
          <Skeleton height={200} radius="lg" />
        </Stack>
      </div>
    </Page>
  );
}
