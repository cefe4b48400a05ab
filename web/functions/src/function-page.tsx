/** One function: its source, a place to try it, what its calls said, its versions. */
import { ApiError } from '@purser/api';
import type { FunctionInfo } from '@purser/api';
import { Anchor, Button, Card, EmptyState, ErrorState, Group, Link, Page, PageHeader, Skeleton, Stack, Text, useNavigate, useParams, useQueryClient } from '@purser/ui';
import { Badge, ConfirmButton, Tabs } from '@purser/ui/pages';
import { LogsPanel } from './logs-panel';
import { removeFunction, useFunction } from './requests';
import { SourcePanel } from './source-panel';
import { TryPanel } from './try-panel';
import { VersionsPanel } from './versions-panel';

export function FunctionPage() {
  const { name = '' } = useParams();
  const query = useFunction(name);
  if (query.isPending) return <Page size="md"><Stack role="status" aria-label="Loading"><Skeleton height={20} width={90} /><Skeleton height={56} width={260} /><Skeleton height={620} radius="lg" /></Stack></Page>;
  if (query.data === undefined) {
    const gone = query.error instanceof ApiError && [404, 422].includes(query.error.status);
    return <Page title={gone ? 'There is no such function' : undefined}>{gone ? <EmptyState icon="search" title="There is no such function" action={<Button component={Link} to="/functions">To the functions</Button>} /> : <ErrorState error={query.error} onRetry={() => void query.refetch()} />}</Page>;
  }
  return <Found info={query.data} />;
}

function Found({ info }: { info: FunctionInfo }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const remove = async () => {
    await removeFunction(info.name);
    await client.invalidateQueries({ queryKey: ['functions', 'list'] });
    navigate('/functions');
  };
  return (
    <Page size="md">
      <Anchor component={Link} to="/functions" size="sm">← Functions</Anchor>
      <PageHeader title={info.name} text={<Group gap="xs"><Badge tt="none">v{info.version}</Badge>{info.builtin && <Badge color="gray" tt="none">Built in</Badge>}<Text size="sm">{info.triggers.length === 0 ? 'Called by HTTP' : `On ${info.triggers.join(', ')}`}</Text></Group>}
        actions={info.builtin ? undefined : <ConfirmButton label="Delete" variant="default" question={`Delete ${info.name}?`} text="Its versions and logs go with it." confirm="Delete it" action={remove} />} />
      <Card>
        <Tabs defaultValue="source" keepMounted={false}>
          <Tabs.List mb="md"><Tabs.Tab value="source">Source</Tabs.Tab><Tabs.Tab value="try">Try</Tabs.Tab><Tabs.Tab value="logs">Logs</Tabs.Tab><Tabs.Tab value="versions">Versions</Tabs.Tab></Tabs.List>
          <Tabs.Panel value="source"><SourcePanel key={info.version} info={info} /></Tabs.Panel>
          <Tabs.Panel value="try"><TryPanel name={info.name} /></Tabs.Panel>
          <Tabs.Panel value="logs"><LogsPanel name={info.name} /></Tabs.Panel>
          <Tabs.Panel value="versions"><VersionsPanel info={info} /></Tabs.Panel>
        </Tabs>
      </Card>
    </Page>
  );
}
