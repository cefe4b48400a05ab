/** A place for a micro front end: a skeleton while it loads, a fallback if it cannot be had or breaks. */
import { Component, useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { EmptyState, Button, Page, Skeleton, Stack } from '@purser/ui';
import { loadRemoteModule } from './manifest';
import type { RemoteModule } from './manifest';

export function RemotePage({ name, title }: { name: string; title: string }) {
  const [attempt, setAttempt] = useState(0);
  const again = () => setAttempt((count) => count + 1);
  const fallback = (
    <EmptyState icon="wifi" title={`${title} can’t be shown right now`} text="The rest of Purser works. Try again in a moment."
      action={<Button variant="default" onClick={again}>Try again</Button>} />
  );
  return <Boundary key={`${name} ${attempt}`} fallback={fallback}><Loaded name={name} fallback={fallback} /></Boundary>;
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

function useRemote(name: string): { module: RemoteModule | null; failed: boolean } {
  const [state, setState] = useState<{ module: RemoteModule | null; failed: boolean }>({ module: null, failed: false });
  useEffect(() => {
    let here = true;
    loadRemoteModule(name).then(
      (module) => here && setState({ module, failed: false }),
      () => here && setState({ module: null, failed: true }),
    );
    return () => {
      here = false;
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

class Boundary extends Component<{ fallback: ReactNode; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidCatch(error: unknown) {
    console.error(error);
  }

  override render() {
    return this.state.failed ? this.props.fallback : this.props.children;
  }
}
