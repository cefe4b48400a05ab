/** My orders; for admins, everybody's. */
import type { OrderStatus, OrderSummary } from '@purser/api';
import { useUser } from '@purser/api';
import { Button, Card, EmptyState, ErrorState, Group, Link, Page, PageHeader, Skeleton, Stack, Text, useSearchParams } from '@purser/ui';
import { formatMoney, LoadMore, NativeSelect, ORDER_STATUS_LABELS, OrderStatusBadge, RelativeTime } from '@purser/ui/pages';
import { useOrders } from './requests';
import { shortId } from './rules';

const STATUSES = Object.keys(ORDER_STATUS_LABELS) as OrderStatus[];
const CHOICES = [{ value: '', label: 'All orders' }, ...STATUSES.map((value) => ({ value, label: ORDER_STATUS_LABELS[value] }))];

export function OrdersPage() {
  const admin = useUser()?.role === 'admin';
  const [search, setSearch] = useSearchParams();
  const status = STATUSES.find((one) => one === search.get('status'));
  const pages = useOrders(status);
  const filter = (value: string) => setSearch(value === '' ? {} : { status: value }, { replace: true });
  return (
    <Page size="md">
      <PageHeader title="Orders" text={admin ? 'Of everybody' : undefined}
        actions={<NativeSelect aria-label="Show orders by status" data={CHOICES} value={status ?? ''} onChange={(event) => filter(event.currentTarget.value)} />} />
      <List pages={pages} filtered={status !== undefined} />
    </Page>
  );
}

function List({ pages, filtered }: { pages: ReturnType<typeof useOrders>; filtered: boolean }) {
  if (pages.isPending) return <Waiting />;
  if (pages.isError) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const orders = pages.data.pages.flatMap((page) => page.data);
  if (orders.length === 0) {
    return filtered ? <Card><EmptyState icon="search" title="No orders like that" text="Choose another status." /></Card>
      : <Card><EmptyState icon="box" title="No orders yet" text="What you order appears here, and you can watch it on its way." action={<Button component={Link} to="/">To the shop</Button>} /></Card>;
  }
  return (
    <Stack gap="sm" style={{ opacity: pages.isPlaceholderData ? 0.6 : 1 }}>
      <Stack component="ul" gap="sm" p={0} m={0} style={{ listStyle: 'none' }}>{orders.map((order) => <Row key={order.id} order={order} />)}</Stack>
      <LoadMore pages={pages} />
    </Stack>
  );
}

function Row({ order }: { order: OrderSummary }) {
  const items = order.items ?? [];
  const summary = items.map((item) => `${item.quantity} × ${item.name}`).join(', ');
  return (
    <Card component="li" padding={0} className="lift">
      <Link to={`/orders/${order.id}`} className="row-link">
        <Stack gap={6} p="md">
          <Group justify="space-between" wrap="nowrap">
            <Text fw={650} className="row-title" truncate miw={0}>{summary === '' ? `Order ${shortId(order.id)}` : summary}</Text>
            <Text fw={650} className="numeric" style={{ flexShrink: 0 }}>{formatMoney(order.total, order.currency)}</Text>
          </Group>
          <Group justify="space-between" wrap="nowrap">
            <Text size="sm" c="dimmed" truncate miw={0}>{shortId(order.id)} · <RelativeTime time={order.created_at} /></Text>
            <OrderStatusBadge status={order.status} />
          </Group>
        </Stack>
      </Link>
    </Card>
  );
}

function Waiting() {
  return <Stack gap="sm" role="status" aria-label="Loading">{[0, 1, 2, 3, 4].map((n) => <Skeleton key={n} height={89} radius="lg" />)}</Stack>;
}
