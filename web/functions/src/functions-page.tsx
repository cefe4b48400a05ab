/** All functions. */
import type { FunctionInfo } from '@purser/api';
import { Button, Card, EmptyState, ErrorState, Group, Icon, Link, Page, PageHeader, Skeleton, Stack, Text, ThemeIcon } from '@purser/ui';
import { Badge, LoadMore } from '@purser/ui/pages';
import { useFunctions } from './requests';

export function FunctionsPage() {
  const pages = useFunctions();
  return (
    <Page size="md">
      <PageHeader title="Functions" text="JavaScript that runs on events and calls, in a sandbox." actions={<Button component={Link} to="/functions/new" leftSection={<Icon name="plus" />}>New function</Button>} />
      <List pages={pages} />
    </Page>
  );
}

function List({ pages }: { pages: ReturnType<typeof useFunctions> }) {
  if (pages.isPending) return <Stack gap="sm" role="status" aria-label="Loading">{[0, 1, 2].map((n) => <Skeleton key={n} height={76} radius="lg" />)}</Stack>;
  if (pages.isError) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const functions = pages.data.pages.flatMap((page) => page.data);
  if (functions.length === 0) return <Card><EmptyState icon="code" title="No functions yet" text="Write one; it answers in milliseconds." /></Card>;
  return <Stack gap="sm"><Stack component="ul" gap="sm" p={0} m={0} style={{ listStyle: 'none' }}>{functions.map((one) => <Row key={one.name} info={one} />)}</Stack><LoadMore pages={pages} /></Stack>;
}

function Row({ info }: { info: FunctionInfo }) {
  return (
    <Card component="li" padding={0} className="lift">
      <Link to={`/functions/${info.name}`} className="row-link">
        <Group p="md" justify="space-between" mih={76}>
          <Group gap="sm" wrap="nowrap">
            <ThemeIcon variant="light" size="lg"><Icon name="code" /></ThemeIcon>
            <Stack gap={0}><Text fw={650} className="row-title">{info.name}</Text><Text size="sm" c="dimmed">{info.triggers.length === 0 ? 'Called by HTTP' : `On ${info.triggers.join(', ')}`}</Text></Stack>
          </Group>
          <Group gap="xs">{info.builtin && <Badge color="gray" tt="none">Built in</Badge>}<Badge tt="none">v{info.version}</Badge><Badge color="brass" tt="none">{info.access}</Badge></Group>
        </Group>
      </Link>
    </Card>
  );
}
